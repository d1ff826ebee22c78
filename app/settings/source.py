"""Where settings come from, variables and the files that variables name, and what is reported about bad ones."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.settings.masks import mask
from app.settings.types import MayBe, Wrong, oddity

FILE = "_FILE"
MOST_BYTES = 64 * 1024
SHOWN = 100

Model = TypeVar("Model", bound=BaseModel)


class Source:
    """What is set: `values` by variable, and `bad`, an error line for each variable that is bad.

    A variable may also be given as `<VARIABLE>_FILE`, the path of a file with its value. `given` are all variables that
    are set, also those whose file cannot be read. `is_setting` returns whether a variable is a setting.
    """

    def __init__(self, environ: Mapping[str, str], is_setting: Callable[[str], bool]) -> None:
        self.values = {name: value for name, value in environ.items() if is_setting(name) and not name.endswith(FILE)}
        self.bad: dict[str, str] = {}
        self._in_files: set[str] = set()
        for name in environ:
            variable = name.removesuffix(FILE)
            if variable != name and is_setting(variable):
                self._read_file(variable, environ[name])
        self.given = frozenset(self.values) | self._in_files

    def _read_file(self, variable: str, path: str) -> None:
        given = variable in self.values
        self._in_files.add(variable)
        try:
            self.values[variable] = _content(path)
        except Wrong as wrong:
            # The path is not shown: it may be the secret itself, given by mistake.
            self.complain(variable, f"must be the path of a readable file, text of at most 64 KiB; {wrong.hint}")
        if given:
            self.bad[variable] = f"{variable}{FILE}: must not be set together with {variable}"

    def complain(self, variable: str, words: str) -> None:
        """Report a variable; of several complaints about it the first one counts."""
        name = variable + FILE if variable in self._in_files else variable
        self.bad.setdefault(variable, f"{name if name.isprintable() else repr(name)}: {words}")

    def validate(
        self, model: type[Model], values: Mapping[str, Any], variable_of: Callable[[str], str], context: Any = None
    ) -> Model | None:
        """The model of `values`; None if any is bad, which is reported under its variable.

        The keys of `values` are the names of the model's fields, or their aliases.
        """
        try:
            return model.model_validate(values, context=context)
        except ValidationError as error:
            wrongs = _wrongs(error)
        for name, field in model.model_fields.items():
            key = field.alias or name
            if key in wrongs:
                default = values.get(key, field.default)
                self._complain_of(variable_of(key), rule_of(field.metadata), wrongs[key], default)
        return None

    def _complain_of(self, variable: str, rule: MayBe, wrong: Wrong, default: Any) -> None:
        if variable in self.bad:
            return
        in_file = variable in self._in_files
        line = f"{'the content of the file ' * in_file}must be {wrong.words or rule.words}"
        if variable not in self.values:  # the value of another setting leaves no room for a number
            self.complain(variable, f"{line}, not its default {default:g}")
            return
        value = self.values[variable]
        hint = wrong.hint or oddity(value)
        if not rule.secret and not in_file:
            line += f", not {mask(value)[:SHOWN]!r}"
        elif not value:
            hint = "it is empty"
        self.complain(variable, f"{line}; {hint}" if hint else line)


def rule_of(metadata: list[Any]) -> MayBe:
    """The rule among the metadata of a field."""
    return next(each for each in metadata if isinstance(each, MayBe))


def _wrongs(error: ValidationError) -> dict[str, Wrong]:
    """What is wrong, by field; of several things the first."""
    found: dict[str, Wrong] = {}
    for each in error.errors(include_input=False, include_url=False):
        cause = each.get("ctx", {}).get("error")
        found.setdefault(str(each["loc"][0]), cause if isinstance(cause, Wrong) else Wrong())
    return found


def _content(path: str) -> str:
    """The text of a file, without one newline at its end. Raises Wrong."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise Wrong("it is not a regular file")  # a pipe could keep the start waiting
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Wrong(os.strerror(error.errno or 0)) from None
    if len(content) > MOST_BYTES:
        raise Wrong("it is larger")
    try:
        return re.sub(r"\r?\n\Z", "", content.decode())
    except UnicodeDecodeError:
        raise Wrong("it is not UTF-8") from None
