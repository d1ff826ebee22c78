"""What a failed step means and what to do about it: where the doctor knows more than the reason, and otherwise for it.

docs/doctor.md shows the sentences here. Those for a reason alone come from app/health/meanings.py.
"""

from typing import NamedTuple

from app.health.meanings import MEANINGS
from app.net.reason import Cause


class Advice(NamedTuple):
    """Two sentences; what stands in braces is filled in by `about`."""

    means: str
    do: str

    def about(self, **facts: object) -> "Advice":
        return Advice(self.means.format(**facts), self.do.format(**facts))


UNESCAPED = Advice(
    "The URL is probably read wrongly: {oddity}.", "Percent-encode the user and the password in the URL."
)
NAME_SERVER = Advice(
    "The name server did not answer, so it is not known whether the name exists.",
    "Check `/etc/resolv.conf` where the service runs, and that port 53 of the name server is reachable from there.",
)
LOCALHOST = Advice(
    "In a container, localhost is the container itself (in Kubernetes the pod), and nothing listens on this port in it.",
    "Put the name of the dependency's own container or service in the URL; a program on the Docker host is at "
    "`host.docker.internal`, where Docker provides that name.",
)
EXPIRED = Advice("The certificate expired {time} ago.", "Renew it on the peer, and have the peer load the new one.")
ISSUER_EXPIRED = Advice(
    "The certificate itself has not expired, but one in the chain up to its authority has.",
    "Renew the chain that the peer sends, or the authority in {setting}.",
)
NOT_YET_VALID = Advice(
    "The certificate is not valid for another {time}.",
    "Check the clock of this machine and of the one that issued the certificate.",
)
OTHER_NAME = Advice(
    "The certificate is for {names}, and the URL names {host}.",
    "Use a name of the certificate in the URL, or have a certificate issued for {host}.",
)
UNKNOWN_AUTHORITY = Advice(
    "The certificate was issued by {issuer}, an authority that is not trusted here.",
    "Set {setting} to a PEM file with the certificate of {issuer}.",
)
SELF_SIGNED = Advice(
    "The certificate is self-signed by {issuer} and not trusted here.",
    "Set {setting} to a PEM file with this certificate.",
)
MALFORMED = Advice(
    "The certificate, or that of its authority, does not follow RFC 5280, which Python requires from 3.13 on: {problem}.",
    "Have both issued anew by a tool that follows it.",
)
UNREADABLE = Advice(
    "A file of certificates that the settings name cannot be read.",
    "Correct the path in {setting}, or the permissions of the file.",
)
CLIENT_CERTIFICATE = Advice(
    "The peer requires a certificate from its clients, or refuses the one that it got.",
    "Name a certificate in the URL (MongoDB: `tlsCertificateKeyFile`, PostgreSQL: `sslcert` and `sslkey`); HTTP, Redis "
    "and WebSockets are dialled without one.",
)
NOT_TLS = Advice(
    "The URL asks for TLS, and the peer does not speak it on this port.",
    "Use the port on which the peer speaks TLS, or {plain}.",
)
SPEAKS_TLS = Advice(
    "The peer speaks TLS on this port, and the URL does not ask for it.",
    "Use {secure}, or a port on which the peer does without TLS.",
)
MEMBER_NAME = Advice(
    "The replica set advertises {members}, which does not resolve here, and the driver dials what is advertised, not "
    "only what the URL names.",
    "Make the name resolvable where the service runs, or change it by `rs.reconfig()`; `directConnection=true` in the "
    "URL watches one server alone.",
)
MEMBER_LOCALHOST = Advice(
    "The replica set advertises {members}, which is a loopback address: everywhere but on the server itself it leads to "
    "another machine.",
    "Give the member a name that every client can resolve, by `rs.reconfig()`; `directConnection=true` in the URL "
    "watches one server alone.",
)
MEMBER_UNREACHABLE = Advice(
    "The replica set advertises {members}, which cannot be reached from here.",
    "Start that member, open the network to it, or take it out of the set by `rs.remove()`.",
)
OTHER_SET = Advice(
    "The URL asks for the replica set {asked}, and the server belongs to {found}.", "Correct `replicaSet` in the URL."
)
SILENT = Advice(
    "The peer accepted the connection and then said nothing: it hangs, or expects something other than {protocol}.",
    "Restart or relieve it if it hangs; otherwise check that this is the right port, with or without TLS.",
)
OTHER_PROTOCOL = Advice(
    "What answers on this port does not speak {protocol}.", "Correct the host or the port in the URL."
)
NO_CREDENTIALS = Advice("The peer requires credentials, and the setting has none.", "Add {where}.")
REFUSED = Advice(
    "The peer refuses the credentials in the setting.",
    "Compare them with those on the peer; in the URL, user and password must be percent-encoded{hint}.",
)
NO_PASSWORD_EXPECTED = Advice(
    "The URL has a password, and the server does not expect one.",
    "Remove the password from the URL, or set it on the server.",
)
OTHER_STATUS = Advice(
    "The service answered {status}, which `STATUSES` does not accept.",
    "Look for the cause in its log, or add the code to {setting} if it means success.",
)
NO_SUCH_PATH = Advice(
    "The server answers, but has nothing at the path of the URL.",
    "Correct the path; `/health` is added to `AI_SERVICE_URL`, and to no other URL.",
)
NO_UPGRADE = Advice(
    "The server answered the WebSocket handshake with {status} instead of 101.",
    "Check the path of the URL, and whether a proxy in between passes WebSocket upgrades on.",
)
OTHER_ROLE = Advice(
    "No server of the URL has the role that `target_session_attrs` asks for.",
    "Find out which server has that role now, or change `target_session_attrs`.",
)
SLOW = Advice(
    "The peer answers, but the check did not end within its timeout of {seconds} s.",
    "Find out what slows it down, or raise {setting}.",
)
REPORTED = Advice("The server itself reports: {detail}.", "Follow that up on the server; its log has more.")
UNEXPECTED = Advice(
    "The doctor itself failed here, by {error}.", "Report it to the authors of this program, with this output."
)


def general(cause: Cause) -> Advice:
    """What is known from the reason alone."""
    meaning = MEANINGS[cause.reason]
    return Advice(f"{meaning.means[0].upper()}{meaning.means[1:]}.", f"Check {meaning.look_at}.")
