"""What each reason means, for people: the one table behind the status page, the doctor and docs/operations.md."""

from typing import NamedTuple

from app.net.reason import Reason


class Meaning(NamedTuple):
    """`words` in place of the reason; `means` is a sentence without its full stop; `look_at` completes "Look at" or "Check"."""

    words: str
    means: str
    look_at: str


MEANINGS = {
    Reason.PENDING: Meaning(
        "not checked yet",
        "no check has ended yet; normal for the first seconds",
        "`/health/live`, if this lasts for more than 10 s",
    ),
    Reason.STALE: Meaning(
        "no check has finished for too long",
        "the last result is too old to be trusted, because checks no longer run",
        "`/health/live`, the log for `panic:`, and whether the machine is overloaded",
    ),
    Reason.TIMEOUT: Meaning(
        "no answer in time",
        "there was no answer within the timeout: the dependency hangs, is overloaded, or packets are dropped",
        "whether the process runs, whether it is overloaded, and whether a firewall drops packets",
    ),
    Reason.REFUSED: Meaning(
        "connection refused",
        "the machine is reachable, but nothing listens on the port",
        "whether it is started, whether it listens on that address or only on 127.0.0.1, and the port in the setting",
    ),
    Reason.CLOSED: Meaning(
        "connection closed without an answer",
        "the peer ended the connection without an answer",
        "its log (it crashed, is at its limit of connections, or requires TLS), and any proxy in between",
    ),
    Reason.UNREACHABLE: Meaning(
        "host unreachable", "there is no route to the machine", "the network, the VPN and the security groups"
    ),
    Reason.DNS: Meaning(
        "host name cannot be resolved",
        "the name does not resolve",
        "the spelling, `getent hosts NAME` where the service runs, and the name server",
    ),
    Reason.TLS: Meaning(
        "TLS handshake failed",
        "the TLS handshake failed, the certificate is not trusted, or a file of certificates cannot be read",
        "the dates and names of the certificate; for an authority of your own, `CA_BUNDLE` and whether it can be read",
    ),
    Reason.AUTH: Meaning(
        "credentials not accepted",
        "the user, password or key is not accepted; HTTP 401 and 403",
        "user and password, percent-encoded in the URL; for MongoDB `authSource`, for HTTP the header in `HEADERS`",
    ),
    Reason.NO_PRIMARY: Meaning(
        "no primary in the replica set",
        "the servers answer, but none has the role that is asked for: the primary, or that of `readPreference`",
        "`rs.status()`: an election is under way, or there is no majority",
    ),
    Reason.HTTP_STATUS: Meaning(
        "status code not accepted",
        "the service answered with a status code that is not in `STATUSES`",
        "its log; the detail names the status code",
    ),
    Reason.REDIRECT: Meaning(
        "answer is a redirect",
        "the service answered with a redirect; redirects are not followed",
        "the URL: https in place of http, or a login page in front of it",
    ),
    Reason.CONTENT: Meaning(
        "answer does not match", "`BODY_MATCHES` is not found in the body", "what it answers now, by `curl`"
    ),
    Reason.PROTOCOL: Meaning(
        "answer not understood",
        "the peer does not speak the protocol, or names more than 50 MongoDB servers",
        "whether the port is that of another service",
    ),
    Reason.ERROR: Meaning(
        "unexpected error, see the log",
        "none of the above; what the server itself reports, if anything, is the detail",
        "the detail, and the log, which has the exception",
    ),
}
