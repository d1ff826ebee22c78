"""Writing without waiting: a bounded queue, and the one thread that waits for the reader."""

import logging
import os
import select
import threading
from collections import deque

# Room for a burst (all clients leave at once) and for a reader that pauses for some seconds. The lines bound what many
# short ones cost beside their bytes.
MOST_LINES = 4096
MOST_BYTES = 1024 * 1024

log = logging.getLogger(__name__)


class LineWriter:
    """Writes lines to a descriptor, in the order in which they were put.

    Each is one system call, so that short lines of two processes that share a pipe do not mix (pipe(7), PIPE_BUF). It
    does not use `sys.stdout`: a thread that waits inside its buffer makes the interpreter abort at exit. Nor does it
    use logging's QueueListener, which waits for its thread without a limit when it is stopped.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        """`name` is the stream's: `stdout` or `stderr`."""
        self._descriptor = descriptor
        self._name = name
        self._changed = threading.Condition()  # guards all below but _thread
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._stopped = False
        self._dropped = 0
        self._unreported = 0  # of those dropped, how many no line of the log has mentioned
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were never written, or not as a whole."""
        return self._dropped

    def put(self, line: bytes) -> None:
        """Have a line written, or drop it if there is no room. Callers take turns; the first one starts the thread."""
        with self._changed:
            if len(self._lines) < MOST_LINES and self._bytes + len(line) <= MOST_BYTES and not self._stopped:
                self._lines.append(line)
                self._bytes += len(line)
                self._changed.notify()
            else:
                self._dropped += 1
                self._unreported += 1
        if self._thread is None:
            thread = threading.Thread(target=self.run, name=f"log-{self._name}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no thread can be had: the next line tries again
            self._thread = thread

    def stop(self) -> None:
        """Take no more lines; the thread ends when it has written those that are queued."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, which a reader that does not read can put off for ever."""
        if self._thread is not None:
            self._thread.join(timeout)

    def run(self) -> None:
        """Write until stopped; in the thread."""
        while (line := self._next()) is not None:
            self._write(line)
            if lost := self._lost():
                log.warning("%d lines to %s were dropped because nothing read them", lost, self._name)

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._lines and not self._stopped:
                self._changed.wait()
            if not self._lines:
                return None
            line = self._lines.popleft()
            self._bytes -= len(line)
            return line

    def _lost(self) -> int:
        with self._changed:
            if self._lines or self._stopped:
                return 0
            lost, self._unreported = self._unreported, 0
            return lost

    def _write(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:  # a process that shares the descriptor has made it non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # its reader has gone, or the disk is full
                with self._changed:
                    self._dropped += 1
                return
