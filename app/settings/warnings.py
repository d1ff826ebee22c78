"""What is worth a warning at start: settings that are probably misspelt, and what a driver warns of."""

import difflib
import re
from collections.abc import Iterable, Mapping

from app.settings.declarations import PREFIX, variable_meant
from app.settings.dependencies import DependencySettings
from app.settings.drivers import MONGODB_SCHEMES, mongodb_warnings
from app.settings.source import FILE

# Of two names that are alike to this degree, one is the other misspelt; SERVER_NAME and SERVICE_NAME are 0.86 alike.
ALIKE = 0.9
UNIT = re.compile(r"_(SECONDS?|SECS?|S|MS|MILLIS(ECONDS)?)$")


def misspelt(environ: Iterable[str], settings: Iterable[str]) -> list[str]:
    """Variables that are not settings but look like one, each with the one that was probably meant."""
    known = {_plain(name): name for name in settings}
    lines = []
    for variable in sorted(environ):
        name = variable.removesuffix(FILE)
        if variable.startswith(PREFIX) or name in known.values():
            continue
        if meant := variable_meant(variable) or _meant(name, known):
            meant += FILE if name != variable and not meant.endswith(FILE) else ""
            lines.append(f"{variable} is not a setting and has no effect: probably {meant} is meant")
    return lines


def _meant(name: str, known: Mapping[str, str]) -> str:
    """The setting that a name probably means; empty if none is like it."""
    # A single word in lower case, like host or port, is often a variable of something else.
    if not name.isupper() and "_" not in name:
        return ""
    plain = _plain(name.upper())
    first = [each for each in known if each[0] == plain[:1]]  # DD_LOG_LEVEL is Datadog's
    alike = difflib.get_close_matches(plain, first, n=1, cutoff=ALIKE)
    return known[alike[0]] if alike else ""


def _plain(name: str) -> str:
    """A name without what is often different: underscores, the unit, MONGODB for MONGO, URL for URI."""
    plain = UNIT.sub("", name).replace("_", "").replace("MONGODB", "MONGO")
    return re.sub("URL$", "URI", plain)


def driver(dependencies: Iterable[DependencySettings]) -> list[str]:
    """What MongoDB's driver warns of."""
    urls = [(each.name, each.url.get_secret_value()) for each in dependencies]
    return [
        f"dependency {name}: {text}"
        for name, url in urls
        if url.startswith(MONGODB_SCHEMES)
        for text in mongodb_warnings(url)
    ]
