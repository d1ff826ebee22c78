"""The few threads that dial, however many connections are lost."""

import logging
import queue
import threading
from collections.abc import Callable

from app.connections.connection import Connection

SIZE = 4

log = logging.getLogger(__name__)


class DialPool:
    """Runs `dial(connection)` in at most `size` daemon threads, made when first needed.

    Not a ThreadPoolExecutor: the interpreter's exit waits for its threads, however long they hang.
    """

    def __init__(self, dial: Callable[[Connection], None], size: int = SIZE) -> None:
        self._dial = dial
        self._size = size
        self._queue: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards _threads and _stopped
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def submit(self, connection: Connection) -> None:
        """Dial it as soon as a thread is free; after `stop`, never."""
        thread = None
        with self._lock:
            if self._stopped:
                return
            if len(self._threads) < self._size:
                name = f"dial-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
        self._queue.put(connection)
        if thread is not None:
            thread.start()

    def stop(self) -> None:
        """Tell the threads to end after what they are doing; idempotent."""
        with self._lock:
            self._stopped = True
            threads = len(self._threads)
        for _ in range(threads):
            self._queue.put(None)

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for each thread."""
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        while (connection := self._queue.get()) is not None:
            if self._stopped:
                return
            try:
                self._dial(connection)
            except Exception:
                log.exception("dialling %s failed in an unforeseen way", connection.id)
