"""The settings that are URLs: what each may be."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, AnyUrl, BeforeValidator, HttpUrl, SecretStr, TypeAdapter, WebsocketUrl

from app.checks.kinds import KINDS, Kind
from app.settings.drivers import check_postgresql, mongodb_warnings, unescaped
from app.settings.masks import shown
from app.settings.types import Items, LowerCase, MayBe, Wrong, either, is_host, tidy

UPSTREAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ORIGIN_PORTS = {"http": 80, "https": 443}


class Upstream(NamedTuple):
    """A WebSocket server to dial; the URL may hold credentials."""

    name: str
    url: SecretStr

    def __str__(self) -> str:
        return f"{self.name}={shown(self.url)}"


def _is_url(url: str, kind: Any) -> bool:
    parts = urlsplit(url)
    # Stricter than the library, which would read http:///x as http://x, and http://a\b as http://a/b
    if "://" not in url or not parts.hostname or parts.fragment or {" ", "\\"} & set(url):
        return False
    return is_host(TypeAdapter(kind).validate_python(url).host.strip("[]")) and parts.port != 0


def _is_http(url: str) -> bool:
    return _is_url(url, HttpUrl)


def _is_http_base(url: str) -> bool:
    return _is_http(url) and not {"?", "#"} & set(url)


def _is_redis(url: str) -> bool:
    parts = urlsplit(url)
    if parts.username and not parts.password:
        raise Wrong("it has a user but no password; a password alone is written redis://:password@host")
    return _is_url(url, AnyUrl) and "?" not in url and re.fullmatch(r"(/\d*)?", parts.path, re.ASCII) is not None


def _is_postgresql(url: str) -> bool:
    check_postgresql(url)
    return True


def _is_tcp(url: str) -> bool:
    parts = urlsplit(url)
    if parts.hostname and parts.port is None:
        raise Wrong("it has no port")
    return _is_url(url, AnyUrl) and not {"?", "@"} & set(url) and parts.path in ("", "/")


def _is_mongodb(url: str) -> bool:
    mongodb_warnings(url)
    return True


def _require(url: str, fits: Callable[[str], bool]) -> None:
    """Raise Wrong, with what is odd about the URL, unless it fits."""
    hint = ""
    try:
        if fits(url):
            return
    except Wrong as wrong:
        hint = wrong.hint
    except ValueError:  # urlsplit's and pydantic's, whose text quotes the URL
        pass
    raise Wrong(hint or oddity(url))


def oddity(url: str) -> str:
    """What is odd about a bad URL, without showing any of it; empty if nothing is."""
    scheme, separator, rest = url.partition("://")
    if scheme and not separator:
        return "it does not begin with a scheme and ://"
    if separator and rest[:1] in ("", "/", "?", "#"):
        return "it has no host"
    return unescaped(url)


def _rule(words: str, fits: Callable[[str], bool]) -> MayBe:
    def judge(value: SecretStr) -> bool:
        _require(value.get_secret_value(), fits)
        return True

    return MayBe(words, judge, secret=True)


def _or_empty(rule: MayBe) -> MayBe:
    return replace(rule, words=f"{rule.words}, or empty", fits=lambda value: not value or rule.fits(value))


MONGODB = _rule(
    "a MongoDB connection string like mongodb://host:27017 or mongodb+srv://host, user and password percent-encoded, "
    "with options that the driver accepts",
    _is_mongodb,
)
HTTP = _rule("a URL like http://host:8000/path or https://host/path, without fragment", _is_http)
HTTP_BASE = _rule("a URL like http://host:8000 or https://host/base, without query or fragment", _is_http_base)
REDIS = _rule(
    "a URL like redis://host, redis://:password@host:6379/0 or rediss://user:password@host, without query or fragment",
    _is_redis,
)
POSTGRESQL = _rule(
    "a PostgreSQL connection URL like postgresql://user:password@host:5432/database, user and password "
    "percent-encoded, with options that libpq accepts",
    _is_postgresql,
)
TCP = _rule("a URL like tcp://host:port, without path, query or fragment", _is_tcp)
RULES = {  # by scheme
    "mongodb": MONGODB,
    "mongodb+srv": MONGODB,
    "http": HTTP,
    "https": HTTP,
    "redis": REDIS,
    "rediss": REDIS,
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
    "tcp": TCP,
}


def scheme_of(url: str) -> str:
    """The scheme in lower case."""
    return url.partition("://")[0].lower()


def rule_for(scheme: str) -> MayBe | None:
    """What a URL of this scheme may be; None if there is no such kind of check."""
    if scheme in RULES or scheme not in KINDS:
        return RULES.get(scheme)
    return _rule(
        f"a URL like {scheme}://host:{KINDS[scheme].port or 'port'}", lambda url: _has_peer(url, KINDS[scheme])
    )


def _has_peer(url: str, kind: Kind) -> bool:
    return _is_url(url, AnyUrl) and (urlsplit(url).port or kind.port) is not None


def _is_address(value: SecretStr) -> bool:
    """Whether the URL is good by the rule of its scheme; the error line has the words of that rule."""
    url = value.get_secret_value()
    if (rule := rule_for(scheme_of(url))) is None:
        raise Wrong("" if "://" in url else oddity(url))
    try:
        return rule.fits(value)
    except Wrong as wrong:
        raise Wrong(wrong.hint, wrong.words or rule.words) from None


def _upstream(value: str) -> Upstream:
    name, _, url = value.partition("=")
    if not UPSTREAM_NAME.fullmatch(name):
        raise Wrong
    _require(tidy(url), lambda each: _is_url(each, WebsocketUrl))
    return Upstream(name, SecretStr(url))


def _are_upstreams(upstreams: tuple[Upstream, ...]) -> bool:
    return len({upstream.name for upstream in upstreams}) == len(upstreams)


def _origin(value: str) -> str:
    """An origin as browsers send it: without the default port of its scheme."""
    parts = urlsplit(tidy(value))
    if "*" in value:
        raise Wrong("wildcards are not supported")
    if not parts.hostname or "@" in value or value != f"{parts.scheme}://{parts.netloc}":
        raise Wrong
    if parts.port is not None and parts.port == ORIGIN_PORTS.get(parts.scheme):
        return value.removesuffix(f":{parts.port}")
    return value


def _is_runbook(value: str | None) -> bool:
    return value is None or (_is_http(value.partition("#")[0]) and "@" not in urlsplit(value).netloc)


Address = Annotated[
    SecretStr, MayBe(f"a URL that begins with {either(f'{scheme}://' for scheme in KINDS)}", _is_address, secret=True)
]
HttpAddress = Annotated[SecretStr, _or_empty(HTTP_BASE)]
# Judged with its dependency, once: the driver may have to load certificates for it.
MongoAddress = Annotated[SecretStr, MayBe(MONGODB.words, secret=True)]
Upstreams = Annotated[
    tuple[Annotated[Upstream, BeforeValidator(_upstream)], ...],
    Items,
    MayBe("name=ws://host/path (or wss), several separated by commas, each name once", _are_upstreams, secret=True),
]
Origins = Annotated[
    tuple[Annotated[str, LowerCase, AfterValidator(_origin)], ...],
    Items,
    MayBe("origins like https://example.org, several separated by commas"),
]
Runbook = Annotated[
    str | None,
    BeforeValidator(lambda value: value or None),
    MayBe("a URL like https://host/path without credentials, or empty", _is_runbook),
]
