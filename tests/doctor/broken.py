"""Each step of each kind, broken: `CASES[kind](folder)` yields one Case after the other, while its peer is there."""

import contextlib
import re
import socket
import ssl
from typing import Any, NamedTuple

from app.doctor import advice as a
from app.doctor.advice import Advice
from app.health.meanings import MEANINGS
from app.net.reason import Cause, Reason
from tests.doctor.diagnosing import NamesHere
from tests.peers.addresses import NO_ROUTE
from tests.peers.ai_service import FaultyAiService, Mode, answer
from tests.peers.certificates import issued, server_context
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.ports import reserve_port
from tests.peers.redis import redis_server
from tests.peers.tcp_server import ScriptedServer

SOON = {"limit": 1.0, "timeout": 1.0}  # for a peer that says nothing
DAYS = {"expired": (-30, -3), "early": (3, 30)}
NO_NAME = "db.internal"


class Case(NamedTuple):
    """How a step was broken, the URL and the options of the subject, and the expected advice."""

    step: str
    how: str
    url: str
    options: dict[str, Any]
    advice: Advice


def general(reason):
    assert reason in MEANINGS
    return a.general(Cause(reason, ""))


def unreachable(scheme):
    """The cases of the first two steps, which are those of every kind."""
    yield Case("name", "no such name", f"{scheme}://{NO_NAME}:1", {}, general(Reason.DNS))
    silent = NamesHere(db_internal=socket.gaierror(socket.EAI_AGAIN, "try again"))
    yield Case(
        "name", "the name server does not answer", f"{scheme}://{NO_NAME}:1", {"resolver": silent}, a.NAME_SERVER
    )
    with reserve_port() as reserved:
        url = f"{scheme}://127.0.0.1:{reserved.getsockname()[1]}"
        yield Case("connect", "nothing listens", url, {}, general(Reason.REFUSED))
        yield Case("connect", "nothing listens, in a container", url, {"in_container": True}, a.LOCALHOST)
    yield Case("connect", "no route", f"{scheme}://{NO_ROUTE}:1", {}, general(Reason.UNREACHABLE))


def distrusted(url_of, folder, setting):
    """The cases of certificates; `url_of(port)` is a URL that asks for TLS."""
    for how, options, advice in (
        ("expired", {"days": DAYS["expired"]}, a.EXPIRED.about(time="3 days")),
        ("not valid yet", {"days": DAYS["early"]}, a.NOT_YET_VALID.about(time="3 days")),
        (
            "for another name",
            {"names": ("db.internal", "10.0.0.7")},
            a.OTHER_NAME.about(names="db.internal, 10.0.0.7", host="127.0.0.1"),
        ),
    ):
        context, bundle = issued(folder, **options)
        with encrypted(context) as port:
            yield Case("tls", f"certificate {how}", url_of(port), {"ca_bundle": bundle}, advice)
    context, _ = issued(folder)
    with encrypted(context) as port:
        advice = a.UNKNOWN_AUTHORITY.about(issuer="Corp CA", setting=setting)
        yield Case("tls", "certificate of an unknown authority", url_of(port), {}, advice)
    context, _ = server_context(folder)
    with encrypted(context) as port:
        advice = a.SELF_SIGNED.about(issuer="127.0.0.1", setting=setting)
        yield Case("tls", "certificate self-signed", url_of(port), {}, advice)


@contextlib.contextmanager
def encrypted(context):
    """The port of a server that speaks TLS; before that it agrees to what PostgreSQL asks."""

    def script(server, sock):
        if sock.recv(8, socket.MSG_PEEK)[:1] == b"\0":
            sock.recv(8)
            sock.sendall(b"S")
        with context.wrap_socket(sock, server_side=True) as wrapped:
            server.ignore(wrapped)

    with ScriptedServer(script) as server:
        yield server.port


@contextlib.contextmanager
def shown_once(context):
    """The port of a server that speaks TLS on its second connection alone: the first is that of the step `connect`."""

    def script(server, sock):
        if server.connections == 2:
            context.wrap_socket(sock, server_side=True).close()

    with ScriptedServer(script) as server:
        yield server.port


@contextlib.contextmanager
def answering(data):
    """The port of a server that answers whatever it gets with `data`; if that is None, with nothing."""

    def script(server, sock):
        while sock.recv(65536) and data is not None:
            sock.sendall(data)

    def ignore(server, sock):
        server.ignore(sock)

    with ScriptedServer(ignore if data is None else script) as server:
        yield server.port


@contextlib.contextmanager
def explaining(context):
    """The port of a server that speaks TLS, and answers what is not TLS with 400, as nginx does."""

    def script(server, sock):
        if sock.recv(1, socket.MSG_PEEK) == b"\x16":
            context.wrap_socket(sock, server_side=True).close()
        elif sock.recv(65536):
            sock.sendall(answer(b"400 Bad Request", b"", b"Connection: close"))

    with ScriptedServer(script) as server:
        yield server.port


@contextlib.contextmanager
def changing(*answers):
    """The port of a server that gives these answers in turn."""
    rest = list(answers)

    def script(server, sock):
        while sock.recv(65536):
            sock.sendall(rest.pop(0))

    with ScriptedServer(script) as server:
        yield server.port


def requiring(folder):
    """An ssl context that requires a client certificate, and the path of its authority's PEM file."""
    context, bundle = issued(folder)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(bundle)
    return context, bundle


def misunderstood(url_of, protocol, folder, secure):
    """The cases of `speak` for every kind whose peer answers; `url_of(port)` does not ask for TLS."""
    with answering(b"\x15\x03 nonsense\r\n\r\n" * 8) as port:
        yield Case("speak", "another protocol", url_of(port), {}, a.OTHER_PROTOCOL.about(protocol=protocol))
    with answering(None) as port:
        yield Case("speak", "no answer", url_of(port), SOON, a.SILENT.about(protocol=protocol))
    with ScriptedServer(lambda server, sock: sock.recv(100)) as server:
        yield Case("speak", "the end, without an answer", url_of(server.port), {}, general(Reason.CLOSED))
    with encrypted(server_context(folder)[0]) as port:
        yield Case("speak", "the peer speaks TLS", url_of(port), {}, a.SPEAKS_TLS.about(secure=secure))


def http(folder):
    yield from unreachable("http")
    yield from distrusted("https://127.0.0.1:{}".format, folder, "`CA_BUNDLE`")
    with shown_once(issued(folder, days=DAYS["expired"])[0]) as port:
        bundle = {"ca_bundle": f"{folder}/authority.pem"}
        yield Case("tls", "certificate not shown again", f"https://127.0.0.1:{port}", bundle, general(Reason.TLS))
    with FaultyAiService() as server:
        yield Case("tls", "no TLS", f"https://127.0.0.1:{server.port}", {}, a.NOT_TLS.about(plain="`http://`"))
        yield from misunderstood("http://127.0.0.1:{}".format, "HTTP", folder, "`https://`")
        headers = "`DEPENDENCY__IT__HEADERS`"
        for status, word in ((b"401 U", "401"), (b"403 F", "403")):
            with answering(answer(status)) as port:
                where = f"`user:password@` before the host in the URL, or {headers}"
                url = f"http://127.0.0.1:{port}"
                yield Case("authenticate", f"{word}, nothing sent", url, {}, a.NO_CREDENTIALS.about(where=where))
                refused = a.REFUSED.about(hint="; a token belongs in `HEADERS`")
                yield Case("authenticate", f"{word}, a user sent", f"http://u:p@127.0.0.1:{port}", {}, refused)
                odd = a.UNESCAPED.about(oddity="it has an unescaped @ in the user or the password: write %40")
                yield Case("authenticate", f"{word}, an unescaped @", f"http://u:p@p@127.0.0.1:{port}", {}, odd)
        server.mode = Mode.STATUS_503
        setting = "`DEPENDENCY__IT__STATUSES`"
        advice = a.OTHER_STATUS.about(status="503 Service Unavailable", setting=setting)
        yield Case("check", "503", server.url, {}, advice)
        server.mode = Mode.REDIRECT
        yield Case("check", "302", server.url, {}, general(Reason.REDIRECT))
        server.mode = Mode.OK
        yield Case("check", "another body", server.url, {"body_matches": re.compile("up")}, general(Reason.CONTENT))
        server.mode, server.delay = Mode.DELAY, 0.5
        slow = a.SLOW.about(seconds="0.2", setting="`DEPENDENCY__IT__TIMEOUT_SECONDS`")
        yield Case("check", "slower than its timeout", server.url, {"timeout": 0.2}, slow)
    with explaining(server_context(folder)[0]) as port:
        yield Case(
            "speak", "400 to what is not TLS", f"http://127.0.0.1:{port}", {}, a.SPEAKS_TLS.about(secure="`https://`")
        )
    context, bundle = requiring(folder)
    with encrypted(context) as port:
        url = f"https://127.0.0.1:{port}"
        yield Case("speak", "no client certificate", url, {"ca_bundle": bundle}, a.CLIENT_CERTIFICATE)
    with changing(answer(b"200 OK"), answer(b"503 S")) as port:
        yield Case("check", "another answer than before", f"http://127.0.0.1:{port}", {}, advice)
    with answering(answer(b"499 X")) as port:
        advice = a.OTHER_STATUS.about(status="499", setting=setting)
        yield Case("check", "a status that is not standard", f"http://127.0.0.1:{port}", {}, advice)
    with answering(answer(b"404 N")) as port:
        yield Case("check", "404", f"http://127.0.0.1:{port}/healthz", {}, a.NO_SUCH_PATH)


def mongodb(folder):
    yield from unreachable("mongodb")
    yield from distrusted("mongodb://127.0.0.1:{}/?tls=true".format, folder, "`CA_BUNDLE`")
    context, bundle = issued(folder)
    _, other = server_context(folder)
    with encrypted(context) as port:
        url = f"mongodb://127.0.0.1:{port}/?tls=true&tlsCAFile={other}"
        advice = a.UNKNOWN_AUTHORITY.about(issuer="Corp CA", setting="`tlsCAFile` in the URL")
        yield Case("tls", "an authority that tlsCAFile does not name", url, {"ca_bundle": bundle}, advice)
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        url = f"mongodb://127.0.0.1:{port}/?tls=true"
        yield Case("tls", "no TLS", url, {}, a.NOT_TLS.about(plain="`tls=false` in the URL"))
    yield from misunderstood("mongodb://127.0.0.1:{}".format, "MongoDB", folder, "`tls=true` in the URL")
    context, bundle = requiring(folder)
    with encrypted(context) as port:
        url = f"mongodb://127.0.0.1:{port}/?tls=true"
        yield Case("speak", "no client certificate", url, {"ca_bundle": bundle}, a.CLIENT_CERTIFICATE)
    with ScriptedMongo(Script.PRIMARY) as server:
        other = server.uri.replace("replicaSet=rs", "replicaSet=live")
        yield Case("speak", "another replica set", other, {}, a.OTHER_SET.about(asked="live", found="rs"))
        server.play(Script.PRIMARY, hosts=[server.address, "db2.internal:27018"])
        yield Case(
            "speak", "a member without a name", server.uri, {}, a.MEMBER_NAME.about(members="db2.internal:27018")
        )
        for port in ("mongo", "70000", "9" * 5000):
            server.play(Script.PRIMARY, hosts=[server.address, f"db2.internal:{port}"])
            advice = a.MEMBER_NAME.about(members=f"db2.internal:{port}:27017")
            yield Case("speak", "a member that is no address", server.uri, {}, advice)
        with reserve_port() as reserved:
            port = reserved.getsockname()[1]
            server.play(Script.PRIMARY, hosts=[server.address, f"db2.internal:{port}"])
            here = {"resolver": NamesHere(db2_internal="127.0.0.1")}
            advice = a.MEMBER_UNREACHABLE.about(members=f"db2.internal:{port}")
            yield Case("speak", "a member that refuses", server.uri, here, advice)
            server.play(Script.PRIMARY, hosts=[server.address, f"localhost:{port}"])
            here = {"resolver": NamesHere(localhost="127.0.0.1")}
            advice = a.MEMBER_LOCALHOST.about(members=f"localhost:{port}")
            yield Case("speak", "a member called localhost", server.uri, here, advice)
    with ScriptedMongo(Script.AUTH) as server:
        hint = ", and `authSource` must name the database that keeps the user"
        yield Case("authenticate", "a wrong password", server.uri, {}, a.REFUSED.about(hint=hint))
    with ScriptedMongo(Script.SECONDARY) as server:
        yield Case("check", "no primary", server.uri, {}, general(Reason.NO_PRIMARY))


def redis(folder):
    yield from unreachable("redis")
    yield from distrusted("rediss://127.0.0.1:{}".format, folder, "`CA_BUNDLE`")
    with answering(b"-ERR unknown command\r\n") as port:
        yield Case("tls", "no TLS", f"rediss://127.0.0.1:{port}", {}, a.NOT_TLS.about(plain="`redis://`"))
    yield from misunderstood("redis://127.0.0.1:{}".format, "Redis", folder, "`rediss://`")
    with answering(b"-LOADING Redis is loading the dataset in memory\r\n") as port:
        advice = a.REPORTED.about(detail="loading its data")
        yield Case("speak", "still loading", f"redis://127.0.0.1:{port}", {}, advice)
    with redis_server("--requirepass", "hunter2", *["--user", "mute", "on", ">hunter2", "-@all", "+auth"]) as port:
        where = "`:password@` before the host in the URL"
        url = f"redis://127.0.0.1:{port}"
        yield Case("authenticate", "no password sent", url, {}, a.NO_CREDENTIALS.about(where=where))
        url = f"redis://:hunter3@127.0.0.1:{port}"
        yield Case("authenticate", "a wrong password", url, {}, a.REFUSED.about(hint=""))
        url = f"redis://mute:hunter2@127.0.0.1:{port}"
        yield Case("check", "no right to PING", url, {}, a.REPORTED.about(detail="the user may not run PING"))
    with redis_server() as port:
        url = f"rediss://127.0.0.1:{port}"
        yield Case("tls", "no answer to TLS", url, SOON, a.SILENT.about(protocol="TLS"))
        yield Case("authenticate", "no password expected", f"redis://:x@127.0.0.1:{port}", {}, a.NO_PASSWORD_EXPECTED)


def postgresql(folder):
    yield from unreachable("postgresql")
    yield from distrusted("postgresql://u:p@127.0.0.1:{}/?sslmode=verify-full".format, folder, "`CA_BUNDLE`")
    with encrypted(server_context(folder)[0]) as port:
        url = f"postgresql://u:p@127.0.0.1:{port}/?sslmode=verify-full&sslrootcert={folder}/absent"
        advice = a.UNREADABLE.about(setting="`sslrootcert` in the URL")
        yield Case("tls", "no file of authorities", url, {}, advice)
        _, bundle = issued(folder)
        url = f"postgresql://u:p@127.0.0.1:{port}/?sslmode=verify-full&sslcert={folder}/absent"
        advice = a.UNREADABLE.about(setting="`CA_BUNDLE`")
        yield Case("tls", "no file of our certificate", url, {"ca_bundle": bundle}, advice)
        url = f"postgresql://u:p@127.0.0.1:{port}/?sslmode=require&sslrootcert={bundle}"
        advice = a.SELF_SIGNED.about(issuer="127.0.0.1", setting="`sslrootcert` in the URL")
        yield Case("tls", "an authority that sslrootcert does not name", url, {}, advice)
    with answering(b"N") as port:
        url = f"postgresql://u:p@127.0.0.1:{port}/?sslmode=require"
        yield Case("tls", "no TLS", url, {}, a.NOT_TLS.about(plain="`sslmode=prefer` in the URL"))
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        url = f"postgresql://u:p@127.0.0.1:{port}/"
        yield Case("speak", "another protocol", url, {}, a.OTHER_PROTOCOL.about(protocol="PostgreSQL"))
    with answering(None) as port:
        url = f"postgresql://u:p@127.0.0.1:{port}/"
        yield Case("speak", "no answer", url, SOON, a.SILENT.about(protocol="PostgreSQL"))
    with ScriptedServer(lambda server, sock: sock.recv(100)) as server:
        url = f"postgresql://u:p@127.0.0.1:{server.port}/"
        yield Case("speak", "the end, without an answer", url, {}, general(Reason.CLOSED))


def postgresql_sessions(server):
    """The cases of a PostgreSQL that runs."""
    where = "`user:password@` before the host in the URL"
    url = f"postgresql://postgres@127.0.0.1:{server.port}"
    yield Case("authenticate", "no password sent", url, {}, a.NO_CREDENTIALS.about(where=where))
    yield Case("authenticate", "a wrong password", server.url(password="wrong"), {}, a.REFUSED.about(hint=""))
    advice = a.REPORTED.about(detail="the database does not exist, or is not open to this user")
    yield Case("authenticate", "no such database", server.url(database="absent"), {}, advice)
    yield Case("check", "another role", server.url(target_session_attrs="standby"), {}, a.OTHER_ROLE)


def tcp(folder):
    yield from unreachable("tcp")


def websocket(folder):
    yield from unreachable("ws")
    yield from distrusted("wss://127.0.0.1:{}".format, folder, "`CA_BUNDLE`")
    with answering(answer(b"400 B")) as port:
        yield Case("tls", "no TLS", f"wss://127.0.0.1:{port}", {}, a.NOT_TLS.about(plain="`ws://`"))
    yield from misunderstood("ws://127.0.0.1:{}".format, "WebSocket", folder, "`wss://`")
    with answering(answer(b"401 U")) as port:
        where = "`user:password@` before the host in the URL"
        url = f"ws://127.0.0.1:{port}"
        yield Case("authenticate", "401, nothing sent", url, {}, a.NO_CREDENTIALS.about(where=where))
        url = f"ws://u:p@127.0.0.1:{port}"
        yield Case("authenticate", "401, a user sent", url, {}, a.REFUSED.about(hint=""))
    with answering(answer(b"404 N")) as port:
        yield Case("check", "404", f"ws://127.0.0.1:{port}", {}, a.NO_UPGRADE.about(status="404 Not Found"))
    with answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n") as port:
        yield Case("check", "302", f"ws://127.0.0.1:{port}", {}, general(Reason.REDIRECT))


CASES = {"http": http, "mongodb": mongodb, "redis": redis, "postgresql": postgresql, "tcp": tcp, "websocket": websocket}
