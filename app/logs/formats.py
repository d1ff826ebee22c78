"""The two formats of a log line: text for people, JSON for collectors."""

import json
import logging
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from app.logs.redaction import Redactor

LINE_BYTES = 8 * 1024  # of one record, with its traceback and the newline at its end
PREFIXES = {"WARNING": "WARN"}
# What a terminal or a log reader may take for a command or for the end of a line, what turns or hides the text around
# it, and what no stream can encode.
ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class TextFormatter(logging.Formatter):
    """`INFO: 2026/11/23 20:19:00 message`; a traceback follows in lines that begin with a tab."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(datefmt="%Y/%m/%d %H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One record; what is not printable in it is escaped, so that no value can forge a line."""
        level = PREFIXES.get(record.levelname, record.levelname)
        prefix = f"{level}: {self.formatTime(record, self.datefmt)} "
        texts = [record.getMessage()]
        if record.exc_info:
            texts.append(self.formatException(record.exc_info))
        if record.stack_info:
            texts.append(self.formatStack(record.stack_info))
        room = LINE_BYTES - len(prefix) - len("\n\t") * len(texts)
        message, *traces = self._redact.fit(texts, room, _text_width)
        return prefix + "\n\t".join([_escaped(message, _as_python), *map(_as_lines, traces)])


class JsonLinesFormatter(JsonFormatter):
    """One object a line: `time` (RFC 3339, in UTC), `level`, `logger`, `message`, `exception` if there is one, and what
    the record carries as `extra`."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}{exc_info}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
            json_ensure_ascii=False,
        )
        self._redact = redact

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time in milliseconds."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redact before quoting: a quote in a secret would hide the secret."""
        present = {key: value for key, value in log_data.items() if value is not None or key != "exception"}
        texts = {key: value for key, value in present.items() if isinstance(value, str)}
        room = LINE_BYTES - 1 - sum(len(f'"{key}": "", ') for key in present)
        return present | dict(zip(texts, self._redact.fit([*texts.values()], room, _json_width), strict=True))

    def format(self, record: logging.LogRecord) -> str:
        """One record as a JSON object."""
        return _escaped(super().format(record), _as_json)


def printable(text: str) -> str:
    """`text` with escapes in place of what could move a terminal's cursor, turn the text around it, or end its line."""
    return _escaped(text, _as_python)


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():  # nearly always, and many times faster
        return text
    hidden = (each for each in set(text) if each != "\t" and unicodedata.category(each) in ESCAPED)
    return text.translate({ord(each): escape(each) for each in hidden})


def _as_python(character: str) -> str:
    return repr(character)[1:-1]


def _as_json(character: str) -> str:
    """JSON names a character beyond U+FFFF by its two halves in UTF-16 (RFC 8259, 7)."""
    return re.sub("(....)", r"\\u\1", character.encode("utf-16-be", "surrogatepass").hex())


def _as_lines(text: str) -> str:
    return "\n\t".join(_escaped(line, _as_python) for line in text.split("\n"))


def _text_width(text: str) -> int:
    # A newline fills two bytes either way: escaped in a message, before a tab in a traceback.
    return len(_as_lines(text).encode())


def _json_width(text: str) -> int:
    return len(_escaped(json.dumps(text, ensure_ascii=False), _as_json).encode()) - len('""')
