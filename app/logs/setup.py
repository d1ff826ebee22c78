"""Setting up logging: one handler for the whole process, and the hooks through which others report."""

import logging
import logging.config
import sys
import threading
import warnings
from collections.abc import Iterable

from app.logs.formats import JsonLinesFormatter, TextFormatter
from app.logs.redaction import Redactor
from app.logs.streams import StandardStreams

CLOSED = -1

log = logging.getLogger(__name__)


def configure(level: str, style: str, secrets: Iterable[str], out: int = 1, err: int = 2) -> None:
    """Set up logging for the whole process; `style` is `text` or `json`, `out` and `err` are descriptors.

    Python's warnings, exceptions that end a thread, and those that nothing can catch become log records too.
    """
    formatter = {"text": TextFormatter, "json": JsonLinesFormatter}[style]
    no_debug = "INFO" if level == "DEBUG" else level
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter, "redact": Redactor(secrets)}},
            "handlers": {
                "streams": {
                    "()": StandardStreams,
                    # Where a process starts with a stream closed, its number becomes that of another file.
                    "out": out if sys.stdout else CLOSED,
                    "err": err if sys.stderr else CLOSED,
                    "formatter": "line",
                }
            },
            "root": {"level": level, "handlers": ["streams"]},
            # At DEBUG pymongo logs several lines a check, and urllib3 warns with a traceback of every response with a
            # malformed header: what fails a check is raised.
            "loggers": {"pymongo": {"level": no_debug}, "urllib3": {"level": "CRITICAL"}},
        }
    )
    # gunicorn's master forks beside the threads that write its log: in the child they are made anew.
    warnings.filterwarnings("ignore", r".* is multi-threaded, use of fork\(\)", DeprecationWarning)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_panic
    sys.unraisablehook = _log_unraisable


def dropped_lines() -> int:
    """How many lines of this process's log were dropped because they were not read, or could not be written."""
    return sum(each.dropped for each in logging.getLogger().handlers if isinstance(each, StandardStreams))


def _log_thread_panic(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread else "?"
    log.error(
        "panic: thread %s ended: %s", name, args.exc_value, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    """In place of Python's own hook, which would wait for a reader of stderr."""
    what = args.err_msg or "Exception ignored in"
    log.error("%s: %r", what, args.object, exc_info=args.exc_value)
