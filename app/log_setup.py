"""How the service logs: a line an event, below ERROR to stdout, from ERROR up to stderr, no secrets."""

import logging
import logging.config
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pythonjsonlogger.json import JsonFormatter

PREFIXES = {"WARNING": "WARN"}
USERINFO = re.compile(r"(?<=://)[^/\s]+@")
# What a terminal or a log reader may take for an order or for the end of a line, and what no stream can encode.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SHORTEST_SECRET = 4

log = logging.getLogger(__name__)


class Redactor:
    """Takes secrets out of text: the given ones, also as `repr` shows them, and the userinfo of any URL.

    A given secret under SHORTEST_SECRET characters would blot out half of every line; of those only what
    stands in a URL is taken out.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        long = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        forms = sorted({*long, *(repr(secret)[1:-1] for secret in long)}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, forms))) if forms else None

    def __call__(self, text: str) -> str:
        text = USERINFO.sub("***@", text)
        return self._secrets.sub("***", text) if self._secrets else text


class TextFormatter(logging.Formatter):
    """`INFO: 2026/11/23 20:19:00 message`; a traceback follows in lines that begin with a tab."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(datefmt="%Y/%m/%d %H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One record; what is not printable in it is escaped, so that no value can forge a line."""
        level = PREFIXES.get(record.levelname, record.levelname)
        lines = [self._redact(record.getMessage())]
        if record.exc_info:
            lines += self._redact(self.formatException(record.exc_info)).split("\n")
        if record.stack_info:
            lines += self._redact(self.formatStack(record.stack_info)).split("\n")
        text = "\n\t".join(_escaped(line, _as_python) for line in lines)
        return f"{level}: {self.formatTime(record, self.datefmt)} {text}"


class JsonLinesFormatter(JsonFormatter):
    """One object a line: `time`, `level`, `logger`, `message`, and `exception` if there is one."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}{exc_info}",
            style="{",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"},
            json_ensure_ascii=False,
        )
        self._redact = redact

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redacted before it is quoted: a quote in a secret would hide it."""
        return {
            key: self._redact(value) if isinstance(value, str) else value
            for key, value in log_data.items()
            if value is not None
        }

    def format(self, record: logging.LogRecord) -> str:
        """One record as a JSON object."""
        return _escaped(super().format(record), _as_json)


def configure(level: str, style: str, secrets: Iterable[str]) -> None:
    """Set up logging for the whole process; `style` is `text` or `json`. Also for threads that end badly."""
    formatter = {"text": TextFormatter, "json": JsonLinesFormatter}[style]
    no_debug = "INFO" if level == "DEBUG" else level
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter, "redact": Redactor(secrets)}},
            "filters": {"below_error": {"()": lambda: _below_error}},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "line",
                    "filters": ["below_error"],
                },
                "stderr": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stderr",
                    "formatter": "line",
                    "level": "ERROR",
                },
            },
            "root": {"level": level, "handlers": ["stdout", "stderr"]},
            # At DEBUG each logs several lines a check.
            "loggers": {"pymongo": {"level": no_debug}, "urllib3": {"level": no_debug}},
        }
    )
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_panic


def _below_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def _log_thread_panic(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread else "?"
    log.error(
        "panic: thread %s ended: %s", name, args.exc_value, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    return CONTROL.sub(lambda match: escape(match[0]), text)


def _as_python(character: str) -> str:
    return repr(character)[1:-1]


def _as_json(character: str) -> str:
    return f"\\u{ord(character):04x}"
