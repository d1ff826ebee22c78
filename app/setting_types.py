"""What the value of a setting may be: each type checks a string, and says in words what would be right."""

import ipaddress
import re
import ssl
import warnings
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr, TypeAdapter, WebsocketUrl
from pydantic_settings import NoDecode
from pymongo import MongoClient

DAY = 86_400
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
UPSTREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MONGO_SCHEMES = ("mongodb://", "mongodb+srv://")
SECRET_OPTIONS = frozenset({"tlscertificatekeyfilepassword", "authmechanismproperties", "proxypassword"})
OPTION = re.compile(r"([^&;=]+)=([^&;]*)")
SESSION_TOKEN = re.compile(r"(?<=AWS_SESSION_TOKEN:)[^,]+")
MASK = "***"


class MayBe(NamedTuple):
    """In words, what a value may be."""

    text: str


class Upstream(NamedTuple):
    """A WebSocket server to dial; the URL may hold credentials."""

    name: str
    url: SecretStr


def _tidy(value: Any) -> Any:
    if isinstance(value, str) and (value != value.strip() or not value.isprintable()):
        raise ValueError("surrounding white space or unprintable characters")
    return value


def _filled(value: str) -> str:
    if not value:
        raise ValueError("empty")
    return value


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not HOST_NAME.fullmatch(value):
            raise
    return value


def _url(value: str, kind: Any) -> str:
    parts = urlsplit(value)
    # Stricter than the library, which would read http:///x as http://x, and http://a\b as http://a/b
    if "://" not in value or not parts.hostname or parts.fragment or {" ", "\\"} & set(value):
        raise ValueError("no scheme, no host, or a fragment")
    _host(TypeAdapter(kind).validate_python(value).host.strip("[]"))
    if parts.port == 0:
        raise ValueError("no port")
    return value


def _http_url(value: SecretStr) -> SecretStr:
    url = _url(value.get_secret_value(), HttpUrl)
    if "?" in url or "#" in url:
        raise ValueError("a query or fragment")
    return value


def _mongo_uri(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(MONGO_SCHEMES):
        raise ValueError("no scheme")  # the driver would take a bare host name
    # The driver is the judge of its own options; unconnected, it resolves and opens nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            MongoClient[Any](value.get_secret_value(), connect=False).close()
        except (Exception, Warning) as error:
            raise ValueError("not for the driver") from error
    return value


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(value.split(",")) if value else ()
    return value


def _once(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(value)) < len(value):
        raise ValueError("an item twice")
    return value


def _upstream(value: str) -> Upstream:
    name, _, url = value.partition("=")
    if not UPSTREAM_NAME.fullmatch(name) or _tidy(url) != url:
        raise ValueError("no name")
    return Upstream(name, SecretStr(_url(url, WebsocketUrl)))


def _upstreams(value: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
    _once(tuple(upstream.name for upstream in value))
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or value.lower() != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError("no origin")
    return value.lower()


def _ca_bundle(value: str) -> str:
    if value:
        try:
            ssl.create_default_context(cafile=value)
        except OSError as error:  # unreadable, or no certificate in it
            raise ValueError("no PEM file") from error
    return value


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if not token.isascii() or " " in token:
        raise ValueError("not for a header")
    return value


def _level(value: Any) -> Any:
    level = value.upper() if isinstance(value, str) else value
    return "WARNING" if level == "WARN" else level


Tidy = BeforeValidator(_tidy)
Text = Annotated[str, Tidy, AfterValidator(_filled), MayBe("a text that is not empty, without white space around it")]
Host = Annotated[str, Tidy, AfterValidator(_host), MayBe("an IP address or a host name")]
Port = Annotated[int, Tidy, Field(ge=1, le=65535), MayBe("a port, 1 to 65535")]
Count = Annotated[int, Tidy, Field(ge=1), MayBe("a whole number, at least 1")]
_Float = Annotated[float, Tidy, Field(allow_inf_nan=False)]
Seconds = Annotated[_Float, Field(gt=0, le=DAY), MayBe(f"a number of seconds above 0, at most {DAY}")]
SecondsOrNone = Annotated[_Float, Field(ge=0, le=DAY), MayBe(f"a number of seconds, 0 to {DAY}")]
AnySeconds = _Float
HttpAddress = Annotated[
    SecretStr,
    Tidy,
    AfterValidator(_http_url),
    MayBe("a URL like http://host:8000 or https://host/base, without query or fragment"),
]
MongoAddress = Annotated[
    SecretStr,
    Tidy,
    AfterValidator(_mongo_uri),
    MayBe(
        "a MongoDB connection string like mongodb://host:27017 or mongodb+srv://host, user and "
        "password percent-encoded, with options that the driver knows"
    ),
]
Upstreams = Annotated[
    tuple[Annotated[Upstream, BeforeValidator(_upstream)], ...],
    NoDecode,
    Tidy,
    BeforeValidator(_items),
    AfterValidator(_upstreams),
    MayBe("name=ws://host/path (or wss), several with commas between, each name once"),
]
Origins = Annotated[
    tuple[Annotated[str, Tidy, AfterValidator(_origin)], ...],
    NoDecode,
    Tidy,
    BeforeValidator(_items),
    MayBe("origins like https://example.org, several with commas between"),
]
CaBundle = Annotated[str, Tidy, AfterValidator(_ca_bundle), MayBe("the path of a readable PEM file, or empty")]
Token = Annotated[SecretStr, Tidy, AfterValidator(_token), MayBe("printable ASCII characters without spaces, or empty")]
Level = BeforeValidator(_level)
Items = BeforeValidator(_items)
Once = AfterValidator(_once)


def mask_url(url: str) -> str:
    """`url` without its userinfo and without what in its query may be secret."""
    base, question, query = url.partition("?")
    base = re.sub(r"//.*@", f"//{MASK}@", base)
    if base.startswith(MONGO_SCHEMES):
        query = OPTION.sub(lambda pair: f"{pair[1]}={MASK}" if pair[1].lower() in SECRET_OPTIONS else pair[0], query)
    elif query:
        query = MASK
    return base + question + query


def secrets_in(url: str) -> set[str]:
    """The passwords in a URL, as written and as meant."""
    base, _, query = url.partition("?")
    userinfo = base.partition("//")[2].rpartition("@")[0]
    found = {userinfo.partition(":")[2]}
    if base.startswith(MONGO_SCHEMES):
        options = {value for name, value in OPTION.findall(query) if name.lower() in SECRET_OPTIONS}
        found |= options | {token for value in options for token in SESSION_TOKEN.findall(unquote_plus(value))}
    else:
        found.add(query)
    return {text for secret in found for text in (secret, unquote(secret), unquote_plus(secret)) if text}
