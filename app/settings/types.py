"""The types of the settings. Each one checks a value and holds the words for what the value may be."""

import ipaddress
import math
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, SecretStr, StringConstraints, ValidationInfo

DAY = 86_400
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


class Wrong(ValueError):
    """A bad value. `hint` is what is wrong with it, where that is not obvious, and shows nothing of a secret.

    `words`, if given, stand in the error line in place of those of the rule.
    """

    def __init__(self, hint: str = "", words: str = "") -> None:
        super().__init__(hint)
        self.hint = hint
        self.words = words


def _anything(_value: Any) -> bool:
    return True


@dataclass(frozen=True)
class MayBe:
    """What a value may be: `words` for the error line, and `fits`, which returns whether a value is good, or raises Wrong.

    `values` is the short form for the table of settings. An error line does not show the value of a `secret` setting.
    `at_most` names a field declared earlier that this one must not exceed; if that one is bad, it alone is reported.
    """

    words: str
    fits: Callable[[Any], bool] = _anything
    values: str = ""
    secret: bool = False
    at_most: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def _check(self, value: Any, info: ValidationInfo) -> Any:
        if not self.fits(value) or (self.at_most in info.data and value > info.data[self.at_most]):
            raise Wrong
        return value


def number(
    what: str, low: float, high: float = math.inf, *, above: bool = False, at_most: str = "", called: str = ""
) -> MayBe:
    """A number from `low` to `high`, both included; with `above`, `low` itself is excluded.

    `called` is the variable of the field `at_most`, if it is not simply that name in upper case.
    """

    def fits(value: float) -> bool:
        return low <= value <= high and not (above and value == low)

    if above:
        values = f"above {low:g} and at most {high:g}"
    elif at_most or high < math.inf:
        values = f"{low:g} to {called or at_most.upper() or f'{high:g}'}"
    else:
        values = f"at least {low:g}"
    return MayBe(f"{what}, {values}", fits, values, at_most=at_most)


def seconds(low: float, high: float = DAY, *, above: bool = False, at_most: str = "", called: str = "") -> MayBe:
    """A time in seconds, a day at most."""
    return number("a number of seconds", low, high, above=above, at_most=at_most, called=called)


def either(choices: Iterable[object]) -> str:
    """The choices in words: `a, b or c`."""
    *others, last = map(str, choices)
    return f"{', '.join(others)} or {last}"


def one_of(*choices: object) -> MayBe:
    """One of these values."""
    words = either(choices)
    return MayBe(words, choices.__contains__, words)


def tidy(value: Any) -> Any:
    """The value; raises Wrong for white space around it and for unprintable characters."""
    if isinstance(value, str) and (value != value.strip() or not value.isprintable()):
        raise Wrong
    return value


def oddity(value: str) -> str:
    """What is odd about a bad value as a text, without showing any of it; empty if nothing is."""
    if value != value.strip():
        return "it begins or ends with white space"
    if not value.isprintable():
        odd = next(character for character in value if not character.isprintable())
        return f"it contains the unprintable character U+{ord(odd):04X}"
    if value[:1] in ("'", '"') and value[0] == value[-1]:
        return "the quotes around it are part of the value"
    return ""


def _names(items: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """The items; raises Wrong unless each names a dependency (in the validation context), once."""
    known = info.context["dependencies"] if info.context else ()
    if not set(items) <= set(known) or len(set(items)) < len(items):
        raise Wrong(words=f"some of {', '.join(known)}, separated by commas, each once, or empty")
    return items


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
        return tuple(item.strip() for item in value.split(",")) if value else ()
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str) and value.lower() not in ("true", "false"):
        raise Wrong
    return value


Items = BeforeValidator(_split)
UpperCase = StringConstraints(to_upper=True)
LowerCase = StringConstraints(to_lower=True)
Flag = Annotated[bool, BeforeValidator(_flag), MayBe("true or false")]
Text = Annotated[str, MayBe("a text that is not empty, without white space around it", bool)]
TextOrNone = Annotated[str | None, BeforeValidator(lambda value: value or None), MayBe("a text, or empty")]
Names = Annotated[tuple[str, ...], Items, AfterValidator(_names), MayBe("names of dependencies, separated by commas")]
Host = Annotated[str, MayBe("an IP address or a host name", is_host)]
Port = Annotated[int, number("a port", 1, 65535)]
Count = Annotated[int, number("a whole number", 1)]
InARow = Annotated[int, number("a whole number", 1, 10)]
Seconds = Annotated[float, seconds(0, above=True)]
SecondsOrNone = Annotated[float, seconds(0)]
CaBundle = Annotated[str, MayBe("the path of a readable PEM file, or empty", _is_ca_bundle)]
Token = Annotated[SecretStr, MayBe("printable ASCII characters without spaces, or empty", _is_token, secret=True)]
