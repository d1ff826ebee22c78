"""The types of the settings. Each one checks a value and holds the words for what the value may be."""

import ipaddress
import math
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, SecretStr, StringConstraints, ValidationInfo

DAY = 86_400
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


@dataclass(frozen=True)
class MayBe:
    """What a value may be: `words` for the error line, and `fits`, which returns whether a value is good.

    `values` is the short form for the table of settings. An error line does not show the value of a `secret` setting.
    `at_most` names a setting declared earlier that this one must not exceed; if that one is bad, it alone is reported.
    """

    words: str
    fits: Callable[[Any], bool]
    values: str = ""
    secret: bool = False
    at_most: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if not self.fits(value) or (self.at_most in info.data and value > info.data[self.at_most]):
            raise ValueError(self.words)
        return value


def number(what: str, low: float, high: float = math.inf, *, above: bool = False, at_most: str = "") -> MayBe:
    """A number from `low` to `high`, both included; with `above`, `low` itself is excluded."""

    def fits(value: float) -> bool:
        return low <= value <= high and not (above and value == low)

    if above:
        values = f"above {low:g} and at most {high:g}"
    elif at_most or high < math.inf:
        values = f"{low:g} to {at_most.upper() or f'{high:g}'}"
    else:
        values = f"at least {low:g}"
    return MayBe(f"{what}, {values}", fits, values, at_most=at_most)


def seconds(low: float, high: float = DAY, *, above: bool = False, at_most: str = "") -> MayBe:
    """A time in seconds, a day at most."""
    return number("a number of seconds", low, high, above=above, at_most=at_most)


def one_of(*choices: object) -> MayBe:
    """One of these values."""
    *others, last = map(str, choices)
    words = f"{', '.join(others)} or {last}"
    return MayBe(words, choices.__contains__, words)


def some_of(*choices: str) -> MayBe:
    """Any number of these values, each at most once."""

    def fits(items: tuple[str, ...]) -> bool:
        return set(items) <= set(choices) and len(set(items)) == len(items)

    return MayBe(f"some of {', '.join(choices)}, separated by commas, each once, or empty", fits, ",".join(choices))


def tidy(value: Any) -> Any:
    """The value; raises ValueError for white space around it and for unprintable characters."""
    if isinstance(value, str) and (value != value.strip() or not value.isprintable()):
        raise ValueError("surrounding white space or unprintable characters")
    return value


def is_host(value: str) -> bool:
    """Whether the value is an IP address or a host name."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return HOST_NAME.fullmatch(value) is not None
    return True


def _is_ca_bundle(path: str) -> bool:
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except OSError:  # unreadable, or without a certificate
        return False
    return True


def _is_token(token: SecretStr) -> bool:
    return token.get_secret_value().isascii() and " " not in token.get_secret_value()


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(value.split(",")) if value else ()
    return value


Items = BeforeValidator(_split)
UpperCase = StringConstraints(to_upper=True)
LowerCase = StringConstraints(to_lower=True)
Text = Annotated[str, MayBe("a text that is not empty, without white space around it", bool)]
Host = Annotated[str, MayBe("an IP address or a host name", is_host)]
Port = Annotated[int, number("a port", 1, 65535)]
Count = Annotated[int, number("a whole number", 1)]
Seconds = Annotated[float, seconds(0, above=True)]
SecondsOrNone = Annotated[float, seconds(0)]
CaBundle = Annotated[str, MayBe("the path of a readable PEM file, or empty", _is_ca_bundle)]
Token = Annotated[SecretStr, MayBe("printable ASCII characters without spaces, or empty", _is_token, secret=True)]
