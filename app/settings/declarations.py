"""Which dependencies there are: the two built in, and those declared as DEPENDENCY__<NAME>__<OPTION>."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from app.checks.kinds import KINDS
from app.settings import urls as urls
from app.settings.dependencies import BUILT_IN, OPTIONS, DependencySettings
from app.settings.source import Source
from app.settings.types import DAY

PREFIX = "DEPENDENCY__"
FORM = f"{PREFIX}<NAME>__<OPTION>, the name at most 32 of A-Z, 0-9 and _, a letter first and no __"
NAME = re.compile(r"[A-Z](?:[A-Z0-9]|_(?!_)){0,31}")
RESERVED = ("LIVE", "READY", "DETAILS")
MOST = 32
LIKE_ONE = re.compile(rf"DEPENDENC(?:Y|IES)_+(.+?)_+({'|'.join(OPTIONS)})(_FILE)?")


class Declaration:
    """One dependency as variables declare it. What is wrong with a variable is reported to `source`."""

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self.options: dict[str, str] = {}
        self._source = source
        self._built_in = BUILT_IN.get(name)

    @property
    def left_out(self) -> bool:
        """Whether this is a built-in dependency whose address is empty."""
        if self._built_in is None or "URL" in self.options:
            return False
        return self._source.values.get(self._built_in.variable) == ""

    def settings(self, inherited: Mapping[str, float]) -> DependencySettings | None:
        """What is set about the dependency; None if anything is bad.

        `inherited` are the options that have the value of a setting by default.
        """
        url = self._url()
        fitting = self._fitting_options(urls.scheme_of(url))
        given = {option: self.options[option] for option in fitting if option in self.options}
        # While it is not known how old a result may be, the interval leaves room for any age.
        values = {"name": self.name, **inherited, "INTERVAL_SECONDS": DAY, **given, "URL": url}
        made = self._source.validate(DependencySettings, values, self._variable)
        if made is None:
            return None
        if "authorization" in map(str.lower, made.headers) and "@" in urlsplit(url).netloc:
            self._complain("HEADERS", "must not contain Authorization beside credentials in the URL")
        if "INTERVAL_SECONDS" in given:
            return made
        return made.model_copy(update={"interval": max(inherited["INTERVAL_SECONDS"], made.max_age)})

    def report_left_out(self) -> None:
        """Report the options, which are all bad."""
        for option in self.options:
            self._complain(option, f"must not be set while {self._variable('URL')} is empty")

    def _url(self) -> str:
        """The URL, not yet judged; empty if there is none."""
        built_in = self._built_in
        if "URL" in self.options:
            if built_in is not None and built_in.variable in self._source.given:
                self._complain("URL", f"must not be set together with {built_in.variable}")
            return self.options["URL"]
        if built_in is None:
            self._complain("URL", f"must be set, because {self._variable(min(self.options))} is")
            return ""
        address = self._source.values.get(built_in.variable, built_in.address)
        return address.rstrip("/") + built_in.path if built_in.path else address

    def _fitting_options(self, scheme: str) -> list[str]:
        """The options that the dependency may have; all of them where its scheme is not known. Reports any other."""
        if self._built_in is not None and scheme not in self._built_in.schemes:
            scheme = self._built_in.schemes[0]
        kind = KINDS.get(scheme)
        foreign = (
            set() if kind is None else {option for other in KINDS.values() for option in other.options - kind.options}
        )
        fitting = [each for each in OPTIONS if each not in foreign]
        for option in self.options.keys() - set(fitting):
            wrong = f"does not fit {scheme}" if option in OPTIONS else "is not an option"
            self._complain(option, f"{wrong}; those that fit are {', '.join(fitting)}")
        return fitting

    def _variable(self, option: str) -> str:
        """The variable that gives an option."""
        if option == "URL" and self._built_in is not None and "URL" not in self.options:
            return self._built_in.variable
        return f"{PREFIX}{self.name.upper()}__{option}"

    def _complain(self, option: str, words: str) -> None:
        self._source.complain(self._variable(option), words)


def declarations(source: Source) -> list[Declaration]:
    """The dependencies that are built in or declared, sorted by name. Variables of another form are reported."""
    found = {name: Declaration(name, source) for name in BUILT_IN}
    for variable in sorted(each for each in source.given if each.startswith(PREFIX)):
        name, _, option = variable.removeprefix(PREFIX).rpartition("__")
        if NAME.fullmatch(name) is None:
            meant = variable_meant(variable)
            probably = f"; probably {meant} is meant" if meant else ""
            source.complain(variable, f"must be {FORM}{probably}")
        elif name in RESERVED:
            source.complain(variable, f"must have another name, as {name} is reserved")
        else:
            declared = found.setdefault(name.lower(), Declaration(name.lower(), source))
            declared.options[option] = source.values.get(variable, "")
    return [found[name] for name in sorted(found)]


def settings_of(
    declared: Iterable[Declaration], inherited: Mapping[str, float], source: Source
) -> list[DependencySettings]:
    """What is set about each dependency that is watched, as far as it is good. Reports too many and none at all."""
    watched = []
    for each in declared:
        if each.left_out:
            each.report_left_out()
        else:
            watched.append(each)
    if len(watched) > MOST:
        words = f"must be set for at most {MOST} dependencies, with the built-in ones, not {len(watched)}"
        source.complain(f"{PREFIX}<NAME>__URL", words)
    if not watched:
        words = f"must not be empty if AI_SERVICE_URL is empty and no {PREFIX}<NAME>__URL is set: nothing to watch"
        source.complain("MONGO_URI", words)
    found = [each.settings(inherited) for each in watched]
    return [each for each in found if each is not None]


def variable_meant(variable: str) -> str:
    """The variable of a dependency that was probably meant; empty if none is like it."""
    match = LIKE_ONE.fullmatch(variable.upper())
    if match is None or NAME.fullmatch(match[1]) is None:
        return ""
    return f"{PREFIX}{match[1]}__{match[2]}{match[3] or ''}"
