"""The settings that are URLs: what they may be, how they are shown, and what in them is secret."""

import re
import warnings
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import BeforeValidator, HttpUrl, SecretStr, TypeAdapter, WebsocketUrl
from pymongo import MongoClient

from app.setting_types import Items, LowerCase, MayBe, is_host, tidy

UPSTREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MONGO_SCHEMES = ("mongodb://", "mongodb+srv://")
SECRET_OPTIONS = frozenset({"tlscertificatekeyfilepassword", "authmechanismproperties", "proxypassword"})
OPTION = re.compile(r"([^&;=]+)=([^&;]*)")
SESSION_TOKEN = re.compile(r"(?<=AWS_SESSION_TOKEN:)[^,]+")
MASK = "***"


class Upstream(NamedTuple):
    """A WebSocket server to dial; the URL may hold credentials."""

    name: str
    url: SecretStr


def _is_url(url: str, kind: Any) -> bool:
    parts = urlsplit(url)
    # Stricter than the library, which would read http:///x as http://x, and http://a\b as http://a/b
    if "://" not in url or not parts.hostname or parts.fragment or {" ", "\\"} & set(url):
        return False
    return is_host(TypeAdapter(kind).validate_python(url).host.strip("[]")) and parts.port != 0


def _is_http_url(value: SecretStr) -> bool:
    url = value.get_secret_value()
    return _is_url(url, HttpUrl) and not {"?", "#"} & set(url)


def _is_mongo_uri(value: SecretStr) -> bool:
    uri = value.get_secret_value()
    if not uri.startswith(MONGO_SCHEMES):  # the driver would accept a bare host name
        return False
    # The driver judges its own options. A client that is not connected resolves nothing and opens nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            MongoClient[Any](uri, connect=False).close()
        except (Exception, Warning):
            return False
    return True


def _upstream(value: str) -> Upstream:
    name, _, url = value.partition("=")
    if not UPSTREAM_NAME.fullmatch(name) or not _is_url(tidy(url), WebsocketUrl):
        raise ValueError("not name=url")
    return Upstream(name, SecretStr(url))


def _are_upstreams(upstreams: tuple[Upstream, ...]) -> bool:
    return len({upstream.name for upstream in upstreams}) == len(upstreams)


def _is_origin(origin: str) -> bool:
    parts = urlsplit(tidy(origin))
    return bool(parts.hostname) and origin == f"{parts.scheme}://{parts.netloc}"


HttpAddress = Annotated[
    SecretStr,
    MayBe("a URL like http://host:8000 or https://host/base, without query or fragment", _is_http_url, secret=True),
]
MongoAddress = Annotated[
    SecretStr,
    MayBe(
        "a MongoDB connection string like mongodb://host:27017 or mongodb+srv://host, user and password "
        "percent-encoded, with options that the driver accepts",
        _is_mongo_uri,
        secret=True,
    ),
]
Upstreams = Annotated[
    tuple[Annotated[Upstream, BeforeValidator(_upstream)], ...],
    Items,
    MayBe("name=ws://host/path (or wss), several separated by commas, each name once", _are_upstreams, secret=True),
]
Origins = Annotated[
    tuple[Annotated[str, LowerCase], ...],
    Items,
    MayBe(
        "origins like https://example.org, several separated by commas", lambda origins: all(map(_is_origin, origins))
    ),
]


def mask(url: str) -> str:
    """`url` without its userinfo and without what in its query may be secret."""
    base, question, query = url.partition("?")
    base = re.sub(r"//.*@", f"//{MASK}@", base)
    if base.startswith(MONGO_SCHEMES):
        query = OPTION.sub(lambda pair: f"{pair[1]}={MASK}" if pair[1].lower() in SECRET_OPTIONS else pair[0], query)
    elif query:
        query = MASK
    return base + question + query


def secrets_in(url: str) -> set[str]:
    """The passwords in a URL, as written and decoded."""
    base, _, query = url.partition("?")
    userinfo = base.partition("//")[2].rpartition("@")[0]
    found = {userinfo.partition(":")[2]}
    if base.startswith(MONGO_SCHEMES):
        options = {value for name, value in OPTION.findall(query) if name.lower() in SECRET_OPTIONS}
        found |= options | {token for value in options for token in SESSION_TOKEN.findall(unquote_plus(value))}
    else:
        found.add(query)
    return {text for secret in found for text in (secret, unquote(secret), unquote_plus(secret)) if text}
