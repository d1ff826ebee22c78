"""The handler of all log records: formats in the caller's thread, and leaves the writing to others."""

import logging
import os
import threading
import time
from collections.abc import Callable

from app.logs.line_writer import LineWriter
from app.logs.rate_limit import RateLimit

# The last lines get this long to be written when the process ends.
CLOSE_SECONDS = 0.3


class StandardStreams(logging.Handler):
    """Records below ERROR go to the descriptor `out`, the others to `err`. Nothing here waits for a reader.

    The handler's own lock, which logging holds for `emit` and `close`, guards everything in it. After a fork the child
    begins with empty queues: what was queued before is written by the parent.
    """

    def __init__(
        self,
        out: int,
        err: int,
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        super().__init__()
        self._descriptors = out, err
        self._clock = clock
        self._new_timer = timer
        self._begin()

    @property
    def dropped(self) -> int:
        """How many lines this process has not written because they were not read, or could not be."""
        return sum(writer.dropped for writer in {self._out, self._err})

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        if self._pid != os.getpid():
            self._begin()
        if self._limit.remaining() <= 0:
            self._sum_up()
        if self._limit.admits(record):
            self._put(record)
        elif self._timer is None:
            self._start_timer()

    def close(self) -> None:
        """Sum up, and give the last lines CLOSE_SECONDS in total to be written. Later ones are dropped."""
        self.acquire()
        try:
            if self._pid == os.getpid():
                end = time.monotonic() + CLOSE_SECONDS
                self._sum_up()
                for writer in (self._out, self._err):
                    writer.stop()
                for writer in (self._out, self._err):
                    writer.join(max(0.0, end - time.monotonic()))
        finally:
            self.release()
        super().close()

    def _begin(self) -> None:
        out, err = self._descriptors
        self._pid = os.getpid()
        self._limit = RateLimit(self._clock)
        self._timer: threading.Timer | None = None
        self._out = LineWriter(out, "stdout")
        # On a terminal, say, both are the same, and all lines stay in order.
        self._err = self._out if _same_file(out, err) else LineWriter(err, "stderr")

    def _put(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except RecursionError:  # the caller's own
            raise
        except Exception as error:  # logging's own way of reporting it would wait for a reader of stderr
            line = self.format(_unformattable(record, error))
        writer = self._out if record.levelno < logging.ERROR else self._err
        writer.put(f"{line}\n".encode())

    def _start_timer(self) -> None:
        """Have the minute summed up when it is over, even if nothing is logged any more."""
        timer = self._new_timer(self._limit.remaining(), self._minute_over)
        timer.name, timer.daemon = "log-summary", True
        try:
            timer.start()
        except RuntimeError:
            return  # no thread can be had: the next line tries again, or sums up
        self._timer = timer

    def _minute_over(self) -> None:
        self.acquire()
        try:
            self._sum_up()
        finally:
            self.release()

    def _sum_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for record in self._limit.sum_up():
            self._put(record)


def _same_file(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:  # one is closed
        return False


def _unformattable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    values = type(error).__name__, record.pathname, record.lineno
    return logging.LogRecord(record.name, record.levelno, __file__, 0, "%s in a log call at %s:%d", values, None)
