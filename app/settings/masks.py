"""What is secret in a URL, and how a URL is shown without it."""

import re
from typing import Any
from urllib.parse import unquote, unquote_plus

from pydantic import SecretStr

MASK = "***"
# The schemes whose options are known, so that only the secret ones need a mask; libpq marks its own as passwords.
OPTION_SCHEMES = ("mongodb:", "mongodb+srv:", "postgresql:", "postgres:")
SECRET_OPTIONS = frozenset(
    {
        "tlscertificatekeyfilepassword",
        "authmechanismproperties",
        "proxypassword",
        "password",
        "sslpassword",
        "oauth_client_secret",
        "scram_client_key",
        "scram_server_key",
    }
)
SESSION_TOKEN = re.compile(r"(?<=AWS_SESSION_TOKEN:)[^,]+")


def shown(value: Any) -> str:
    """A value as its variable would give it; a secret one is a URL."""
    match value:
        case SecretStr():
            return mask(value.get_secret_value())
        case tuple() | frozenset():
            return ",".join(map(str, sorted(value) if isinstance(value, frozenset) else value))
        case float():
            return f"{value:g}"
        case bool():
            return str(value).lower()
    return "" if value in (None, {}) else str(value)


def mask(url: str) -> str:
    """`url` without its userinfo and without what in its query may be secret."""
    head, at, tail = url.rpartition("@")
    # Up to the last @, wherever it stands: in a password it may be unescaped, after a / or a ?.
    start = f"{head.partition('//')[0]}//{MASK}@" if at else ""
    base, question, query = tail.partition("?")
    if "?" in head:
        return start + MASK
    if query and url.startswith(OPTION_SCHEMES):
        pairs = [f"{name}={MASK if is_secret_option(name) else value}" for name, value in options_of(url)]
        query = _separator(url).join(pairs)
    elif query:
        query = MASK
    return start + base + question + query


def options_of(url: str) -> list[tuple[str, str]]:
    """The options in the query of a database's URL, as written."""
    query = url.partition("?")[2]
    pairs = [pair.partition("=") for pair in query.split(_separator(url))] if query else []
    return [(name, value) for name, _, value in pairs]


def _separator(url: str) -> str:
    return ";" if url.startswith("mongodb") and "&" not in url.partition("?")[2] else "&"


def is_secret_option(name: str) -> bool:
    """Whether an option in the query of a database's URL holds a secret; libpq decodes its name too."""
    return unquote(name).lower() in SECRET_OPTIONS


def secrets_in(url: str) -> set[str]:
    """The passwords in a URL, as written and decoded."""
    rest = url.partition("//")[2]
    base, _, query = rest.partition("?")
    found = {each.rpartition("@")[0].partition(":")[2] for each in (base, rest)}
    if url.startswith(OPTION_SCHEMES):
        options = {value for name, value in options_of(url) if is_secret_option(name)}
        found |= options | {token for value in options for token in SESSION_TOKEN.findall(unquote_plus(value))}
    else:
        found.add(query)
    return {text for secret in found for text in (secret, unquote(secret), unquote_plus(secret)) if text}
