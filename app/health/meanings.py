"""What each reason means, for people: the one table behind the status page, the doctor and docs/operations.md."""

from typing import NamedTuple

from app.net.reason import Reason


class Meaning(NamedTuple):
    """`words` in place of the reason, `means` in a sentence without its full stop, and `look_at`: what to look at."""

    words: str
    means: str
    look_at: str


MEANINGS = {
    Reason.PENDING: Meaning(
        "not checked yet",
        "no check has ended yet; normal for the first seconds",
        "still there after 10 s: `/health/live`",
    ),
    Reason.STALE: Meaning(
        "no check has finished for too long",
        "the last result is too old to be trusted, because checks no longer run",
        "`/health/live`; the log for `panic:`; is the machine overloaded?",
    ),
    Reason.TIMEOUT: Meaning(
        "no answer in time",
        "no answer within the timeout: the dependency hangs, is overloaded, or packets are dropped",
        "is the process running, and busy? does a firewall drop packets?",
    ),
    Reason.REFUSED: Meaning(
        "connection refused",
        "the machine is reachable, but nothing listens on the port",
        "is it started? does it listen on that address, or only on 127.0.0.1? is the port in the setting right?",
    ),
    Reason.CLOSED: Meaning(
        "connection closed without an answer",
        "the peer ended the connection without an answer",
        "its log: it crashed, is at its limit of connections, or requires TLS; a proxy in between",
    ),
    Reason.UNREACHABLE: Meaning("host unreachable", "no route to the machine", "network, VPN, security group"),
    Reason.DNS: Meaning(
        "host name cannot be resolved",
        "the name does not resolve",
        "spelling; `getent hosts NAME` where the service runs; the name server",
    ),
    Reason.TLS: Meaning(
        "TLS handshake failed",
        "the TLS handshake failed, or the certificate is not trusted",
        "expired? another name? an authority of your own: `CA_BUNDLE`. For MongoDB: `tlsCAFile` in `MONGO_URI`",
    ),
    Reason.AUTH: Meaning(
        "credentials not accepted",
        "the user, password or key is not accepted; HTTP 401 and 403",
        "is it percent-encoded in the URL? MongoDB: the right `authSource`? HTTP: the header in `HEADERS`",
    ),
    Reason.NO_PRIMARY: Meaning(
        "no primary in the replica set",
        "MongoDB answers, but no server has the role that is asked for: the primary, or that of `readPreference`",
        "`rs.status()`: an election, or no majority",
    ),
    Reason.HTTP_STATUS: Meaning(
        "status code not accepted",
        "the service answered with a status code that is not in `STATUSES`",
        "its log; the detail has the number",
    ),
    Reason.REDIRECT: Meaning(
        "answer is a redirect",
        "the service answered with a redirect; redirects are not followed",
        "the URL: https instead of http? a login page in front of it?",
    ),
    Reason.CONTENT: Meaning(
        "answer does not match", "`BODY_MATCHES` is not found in the body", "what it answers now: `curl` the URL"
    ),
    Reason.PROTOCOL: Meaning(
        "answer not understood",
        "the peer does not speak the protocol, or names more than 50 MongoDB servers",
        "is it the port of another service?",
    ),
    Reason.ERROR: Meaning(
        "unexpected error, see the log",
        "none of the above; what the server itself reports, if anything, is the detail",
        "the detail; the log has the exception",
    ),
}
