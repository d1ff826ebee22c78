"""What a failed step means, and what to do: precise sentences where a step shows the cause, otherwise one for the reason.

docs/doctor.md shows the sentences here. Those for a reason alone come from app/health/meanings.py.
"""

from typing import NamedTuple

from app.health.meanings import MEANINGS
from app.net.reason import Cause


class Advice(NamedTuple):
    """Two sentences; `about` fills in what stands in braces."""

    means: str
    do: str

    def about(self, **facts: object) -> "Advice":
        return Advice(self.means.format(**facts), self.do.format(**facts))


UNESCAPED = Advice("The URL is probably misread: {oddity}.", "Percent-encode the user and the password in the URL.")
NAME_SERVER = Advice(
    "The name server did not answer, so the name may or may not exist.",
    "Check `/etc/resolv.conf` where the service runs, and that port 53 of the name server is reachable from there.",
)
LOCALHOST = Advice(
    "In a container, localhost is the container itself (in Kubernetes, the pod), and nothing listens on this port there.",
    "Put the name of the dependency's own container or service in the URL; a program on the Docker host is at "
    "`host.docker.internal`, where Docker provides that name.",
)
NO_SOCKET = Advice(
    "The Unix socket of the URL does not exist here.",
    "Correct its path, start the server, or mount the socket's folder into this container.",
)
NO_PERMISSION = Advice(
    "The operating system does not let this user connect.",
    "Check the permissions of the Unix socket and its folder; for a network address, the firewall of this machine.",
)
EXHAUSTED = Advice(
    "The doctor cannot open another file or start another thread here.",
    "Raise the limits of this container or machine (`ulimit -n`, `--pids-limit`): the service needs both too.",
)
EXPIRED = Advice("The certificate expired {time} ago.", "Renew it on the peer, then restart or reload the peer.")
ISSUER_EXPIRED = Advice(
    "The certificate itself has not expired, but one in the chain up to its authority has.",
    "Renew the chain that the peer sends, or the authority in {setting}.",
)
NOT_YET_VALID = Advice(
    "The certificate is not valid for another {time}.",
    "Check the clock of this machine and of the one that issued the certificate.",
)
OTHER_NAME = Advice(
    "The certificate is for {names}, but the URL names {host}.",
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
    "Have both issued again with a tool that follows RFC 5280.",
)
UNREADABLE = Advice(
    "A certificate file that the settings name cannot be read.",
    "Correct the path in {setting}, that of a client certificate in the URL, or the permissions of the file.",
)
CLIENT_CERTIFICATE = Advice(
    "The peer requires a client certificate, or refuses the one that it got.",
    "Name a certificate in the URL (MongoDB: `tlsCertificateKeyFile`, PostgreSQL: `sslcert` and `sslkey`); for HTTP, "
    "Redis and WebSockets the service has none, so the peer must accept connections without one.",
)
NOT_TLS = Advice(
    "The URL asks for TLS, but the peer does not speak TLS on this port.",
    "Use the port on which the peer speaks TLS, or {plain}.",
)
SPEAKS_TLS = Advice(
    "The peer speaks TLS on this port, but the URL does not ask for TLS.",
    "Use {secure}, or a port on which the peer does not use TLS.",
)
MEMBER_NAME = Advice(
    "The replica set advertises {members}, which cannot be resolved here, and the driver connects to the advertised "
    "members, not only to those in the URL.",
    "Make the name resolve where the service runs, or change it with `rs.reconfig()`; `directConnection=true` in the "
    "URL watches one server alone.",
)
MEMBER_LOCALHOST = Advice(
    "The replica set advertises {members}: a loopback address leads every client to the client's own machine.",
    "Give the member a name that every client can resolve, with `rs.reconfig()`; `directConnection=true` in the URL "
    "watches one server alone.",
)
MEMBER_UNREACHABLE = Advice(
    "The replica set advertises {members}, which cannot be reached from here.",
    "Start that member, open the network to it, or take it out of the set with `rs.remove()`.",
)
OTHER_SET = Advice(
    "The URL asks for the replica set {asked}, but the server belongs to {found}.", "Correct `replicaSet` in the URL."
)
SILENT = Advice(
    "The peer accepted the connection but did not answer in time: it hangs, or expects something other than {protocol}.",
    "If it hangs, restart it or reduce its load; otherwise check the port, and whether it requires TLS.",
)
OTHER_PROTOCOL = Advice(
    "What answers on this port does not speak {protocol}.", "Correct the host or the port in the URL."
)
NO_CREDENTIALS = Advice("The peer requires credentials, but none are configured.", "Add {where}.")
REFUSED = Advice(
    "The peer refuses the configured credentials.",
    "Compare them with those on the peer; in the URL, user and password must be percent-encoded{hint}.",
)
NO_PASSWORD_EXPECTED = Advice(
    "The URL has a password, but the server does not expect one.",
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
    "Check the path of the URL, and that every proxy in between forwards WebSocket upgrades.",
)
OTHER_ROLE = Advice(
    "No server of the URL has the role that `target_session_attrs` asks for.",
    "Find out which server has that role now, or change `target_session_attrs`.",
)
SLOW = Advice(
    "The peer answers, but the check did not end within its timeout of {seconds} s.",
    "Find out what slows the peer down, or raise {setting}.",
)
REPORTED = Advice("The server answers, but not as it should: {detail}.", "Look for the cause in the server's log.")
UNEXPECTED = Advice(
    "The doctor itself failed here, with {error}.", "Report it to the authors of this program, with this output."
)


def general(cause: Cause) -> Advice:
    """The sentences for a reason alone."""
    meaning = MEANINGS[cause.reason]
    return Advice(f"{meaning.means[0].upper()}{meaning.means[1:]}.", f"Check {meaning.look_at}.")
