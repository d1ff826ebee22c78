"""The URLs that a driver judges: MongoDB's and PostgreSQL's connection strings. Nothing is resolved or connected to."""

import importlib.util
import logging
import re
import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from pymongo import MongoClient
from pymongo.common import URI_OPTIONS_VALIDATOR_MAP
from pymongo.uri_parser import validate_options

from app.settings.masks import is_secret_option, options_of
from app.settings.types import Wrong, is_host

MONGODB_SCHEMES = ("mongodb://", "mongodb+srv://")
REPEATABLE = "readpreferencetags"
# The driver misses a package only when it authenticates: its module, and what to install.
PACKAGES = {"GSSAPI": ("kerberos", "pykerberos"), "MONGODB-AWS": ("pymongo_auth_aws", "pymongo-auth-aws")}
# A socket that cannot exist: libpq judges its options before it tries to connect.
NOWHERE = {"host": "/dev/null", "hostaddr": None, "port": None}


def unescaped(url: str) -> str:
    """Which character of user or password had to be percent-encoded; empty if none is found."""
    rest = url.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    if at and "@" in userinfo:
        character = "@"
    elif at and userinfo.count(":") > 1:
        character = ":"
    elif re.search(r"%(?![0-9A-Fa-f]{2})", userinfo):
        character = "%"
    elif not at and "@" in rest and ":" in authority:
        character = rest[len(authority)]
    else:
        return ""
    return f"it has an unescaped {character} in the user or the password: write {quote(character, safe='')}"


def mongodb_warnings(uri: str) -> list[str]:
    """What the driver warns of in a connection string that it accepts; raises Wrong for any other."""
    _require_escaped(uri, MONGODB_SCHEMES)
    with _caught() as caught:
        try:
            MongoClient[Any](uri, connect=False).close()
        except Exception as error:
            odd = _odd_option(uri, URI_OPTIONS_VALIDATOR_MAP, _is_value)
            raise Wrong(unescaped(uri) or odd or _objection(uri, str(error))) from None
        if odd := _odd_option(uri, URI_OPTIONS_VALIDATOR_MAP, _is_value):
            raise Wrong(unescaped(uri) or odd)
    for name, mechanism in options_of(uri):
        module, package = PACKAGES.get(mechanism, ("", ""))
        if name.lower() == "authmechanism" and module and importlib.util.find_spec(module) is None:
            raise Wrong(f"the authentication mechanism {mechanism} needs the package {package}, which is not installed")
    return [str(each.message) for each in caught]


def check_postgresql(url: str) -> None:
    """Raise Wrong for a URL that libpq does not accept, or that has no host."""
    # Here, because libpq costs 8 MB and a tenth of the start, and most services have no PostgreSQL.
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.pq import Conninfo, PGconn

    _require_escaped(url, ("postgresql://", "postgres://"))
    options = {option.keyword.decode() for option in Conninfo.get_defaults()} | {"ssl"}
    odd = unescaped(url) or _odd_option(url, options, lambda name, value: True)
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.Error:
        raise Wrong(odd) from None
    hosts = str(parameters.get("host", "")).split(",")
    ports = str(parameters.get("port", "")).split(",")
    if not all(host[:1] in "/@" or is_host(host) for host in hosts if host) or not all(hosts):
        raise Wrong(odd)
    if len(ports) not in (1, len(hosts)) or not all(map(_is_port, ports)):
        raise Wrong(odd or "a port is not 1 to 65535")
    connection = PGconn.connect_start(make_conninfo("", **parameters | NOWHERE).encode())
    message = connection.error_message.decode(errors="replace")
    connection.finish()
    if not message.startswith("connection to server"):
        option = re.match(r'invalid "?(\w+)"? value', message)
        raise Wrong(f"the value of the option {option[1]} is not accepted" if option else "")


def _require_escaped(url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes):
        raise Wrong
    before, _, after = url.partition("://")[2].partition("/")
    # The drivers would take the user of mongodb://user:1/2@host for the host, whose name is logged; libpq alone accepts
    # a ? in a password, after which no other parser finds the options.
    if "@" in after.partition("?")[0] or "?" in before.rpartition("@")[0]:
        raise Wrong(unescaped(url) or "it has an unescaped @ in the name of the database: write %40")


def _odd_option(url: str, known: Container[str], fits: Callable[[str, str], bool]) -> str:
    """What is wrong with the options of a URL; empty if nothing is found."""
    before = ""
    seen: set[str] = set()
    for name, value in options_of(url):
        lower = unquote(name).lower()
        if lower not in known:
            # What looks like a name may be the rest of a secret.
            if is_secret_option(before):
                return f"it has an unescaped & in the value of {before}: write %26"
            harmless = re.fullmatch(r"\w{1,40}", name) and "@" not in url.partition("?")[2]
            return f"the option {name} is unknown" if harmless else "an option is unknown"
        if lower in seen and lower != REPEATABLE:
            return f"the option {name} is given twice"
        if "=" in value:
            return f"it has an unescaped = in the value of {name}: write %3D"
        if not fits(name, value):
            return f"the value of the option {name} is not accepted"
        seen.add(lower)
        before = name
    return ""


def _is_value(name: str, value: str) -> bool:
    """Whether MongoDB's driver accepts the value of an option that it knows."""
    # It decodes the properties itself.
    decoded = value if name.lower() == "authmechanismproperties" else unquote_plus(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            validate_options({name: decoded})
        except Exception:
            return False
    return True


def _is_port(port: str) -> bool:
    return not port or (port.isascii() and port.isdigit() and 0 < int(port) <= 65535)


def _objection(uri: str, text: str) -> str:
    """What the driver objects to, as far as its error text names it; the text itself may quote a secret."""
    if text.startswith("Port "):
        return "a port is not 1 to 65535"
    words = re.findall(r"\w+", text)
    named = [name for name, _ in options_of(uri) if name.lower() in URI_OPTIONS_VALIDATOR_MAP and name in words]
    return f"the driver does not accept {' with '.join(named)}" if named else ""


@contextmanager
def _caught() -> Iterator[list[warnings.WarningMessage]]:
    """The driver's warnings; some it logs instead where its logger has been set up for INFO."""
    logger = logging.getLogger("pymongo.client")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield caught
    finally:
        logger.setLevel(level)
