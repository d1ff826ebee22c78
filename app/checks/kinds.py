"""The kinds of check, by URL scheme. A new kind is one file beside this one, and a line in the table below."""

from collections.abc import Callable
from typing import NamedTuple

from app.checks import http, mongodb, redis, tcp
from app.checks.check import Check, CheckConfig

HTTP_OPTIONS = frozenset({"STATUSES", "BODY_MATCHES", "HEADERS"})


class Kind(NamedTuple):
    """How one scheme is checked.

    `port` is the default one (None: the URL must have one); `options` are those of a dependency that only this kind has.
    """

    name: str
    port: int | None
    create: Callable[[CheckConfig], Check]
    options: frozenset[str] = frozenset()


def _postgresql(config: CheckConfig) -> Check:
    # Imported where it is needed: libpq costs 8 MB, and most services have no PostgreSQL.
    from app.checks import postgresql

    return postgresql.create(config)


KINDS = {
    "mongodb": Kind("mongodb", 27017, mongodb.create),
    "mongodb+srv": Kind("mongodb", 27017, mongodb.create),
    "http": Kind("http", 80, http.create, HTTP_OPTIONS),
    "https": Kind("http", 443, http.create, HTTP_OPTIONS),
    "redis": Kind("redis", 6379, redis.create),
    "rediss": Kind("redis", 6379, redis.create),
    "postgresql": Kind("postgresql", 5432, _postgresql),
    "postgres": Kind("postgresql", 5432, _postgresql),
    "tcp": Kind("tcp", None, tcp.create),
}


def kind_of(url: str) -> Kind:
    """The kind for the scheme of `url`. Raises KeyError."""
    return KINDS[url.partition("://")[0].lower()]
