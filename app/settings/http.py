"""The options of a dependency that is asked over HTTP: which answers are accepted, and what is sent along."""

import json
import re
import warnings
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

from app.settings.types import MayBe, Wrong

STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?", re.ASCII)
# RFC 9110, 5.6.2 and 5.5: a token; visible characters with spaces and tabs between them.
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD_VALUE = re.compile(r"([!-~]([ \t!-~]*[!-~])?)?")
# What the connection itself depends on (RFC 9110, 7.6.1; RFC 9112, 6), and Expect, which would wait for a 100.
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def _statuses(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found: set[int] = set()
    for item in value.split(","):
        match = STATUSES.fullmatch(item.strip())
        if match is None:
            raise Wrong
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise Wrong("a range ends before it begins")
        found.update(range(first, last + 1))
    return frozenset(found)


def _expression(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise Wrong(str(error)) from None


def _headers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        pairs = json.loads(value or "{}", object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Wrong("it is not JSON") from None
    if not isinstance(pairs, _Pairs):
        raise Wrong("it is not a JSON object")
    if not all(isinstance(text, str) for _, text in pairs):
        raise Wrong("a value is not a string")
    if not all(FIELD_NAME.fullmatch(name) for name, _ in pairs):
        raise Wrong("a name is not valid in HTTP")
    if not all(FIELD_VALUE.fullmatch(text) for _, text in pairs):
        raise Wrong(
            "a value is not valid in HTTP, which allows printable ASCII characters without white space around them"
        )
    names = [name.lower() for name, _ in pairs]
    for name in names:
        if name in FRAMING or name.startswith("proxy-"):
            raise Wrong(f"{name.title() if name in FRAMING else 'Proxy-…'} belongs to the connection")
    if len(set(names)) < len(names):
        raise Wrong("a name is given twice")
    return dict(pairs)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, with the names that it repeats."""


Statuses = Annotated[
    frozenset[int], BeforeValidator(_statuses), MayBe("status codes from 100 to 599 like 200, 200-299 or 200,204,429")
]
Expression = Annotated[
    re.Pattern[str] | None, BeforeValidator(_expression), MayBe("a regular expression of Python, or empty")
]
Headers = Annotated[
    dict[str, SecretStr],
    BeforeValidator(_headers),
    MayBe('a JSON object of strings like {"Authorization":"Bearer …"}, or empty', secret=True),
]
