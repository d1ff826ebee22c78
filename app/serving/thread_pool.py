"""The worker's threads, all started beforehand, of which a few at a time compute."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Task = Callable[[], object]
# A task that has had its place for so long does not compute but waits for something, and has no place any more:
# otherwise a few stuck views would stop all others.
PLACE_SECONDS = 1.0
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class ThreadPool:
    """Runs tasks in daemon threads, at most `computing` of them at the same time, in the order of their arrival.

    A bound on threads does not bound how many compute, and each thread that does delays every other one: it can hold
    the interpreter's lock for a whole switch interval. A task that waits for something calls `waiting`.
    """

    def __init__(self, size: int, computing: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._most_computing = computing
        self._clock = clock
        self._retry_at = self._tend_at = -math.inf  # used by the thread that submits
        self._lock = threading.Lock()  # guards everything below
        self._computing = computing
        self._work = threading.Condition(self._lock)  # idle threads wait here for a task and a place
        self._turn = threading.Condition(self._lock)  # tasks wait here for a place to go on
        self._tasks: deque[Task] = deque()
        self._places: dict[int, float] = {}  # the threads that compute, by the moment since which they do
        self._threads = self._idle = self._returning = self._surplus = 0
        self._stopped = False

    def start(self) -> None:
        """Start all threads: each start waits for the new thread, which is too long while requests are served.

        Where the machine has too few, keep half of those it has: each WebSocket needs another one of its own, and each
        name look-up. The others are started as tasks require them.
        """
        while self._threads < self._size:
            if not self._start_thread():
                log.warning("only %d of %d threads can be had for requests", self._threads, self._size)
                with self._lock:
                    self._surplus = self._threads // 2
                    self._work.notify(self._surplus)
                return

    def submit(self, task: Task) -> bool:
        """Have a thread run `task`; False if there is none to be had. One thread submits."""
        with self._lock:
            if self._threads == self._size or self._idle > len(self._tasks):
                self._add(task)
                return True
        if not self._start_thread():
            return False
        with self._lock:
            self._add(task)
        return True

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Give up the calling task's place, and wait for one afterwards."""
        me = threading.get_ident()
        with self._lock:
            self._places.pop(me, None)
            self._pass_on()
        try:
            yield
        finally:
            with self._lock:
                self._returning += 1
                while self._free() <= 0:
                    self._turn.wait(PLACE_SECONDS)
                self._returning -= 1
                self._places[me] = self._clock()
                self._pass_on()

    def narrow(self, narrow: bool) -> None:
        """Have tasks compute one at a time while the thread that submits is in a hurry; afterwards as many as before."""
        computing = 1 if narrow else self._most_computing
        if computing != self._computing:
            with self._lock:
                self._computing = computing
                self._pass_on()

    def tend(self) -> None:
        """Let others go on in the places of tasks that have had theirs for too long; call it every now and then."""
        if self._tasks and self._clock() >= self._tend_at:
            self._tend_at = self._clock() + PLACE_SECONDS / 2
            with self._lock:
                self._pass_on()

    def shutdown(self, wait: bool = False) -> None:
        """Have the threads end as they become idle; nothing waits for them."""
        with self._lock:
            self._stopped = True
            self._work.notify_all()

    def _start_thread(self) -> bool:
        if self._clock() < self._retry_at:
            return False
        try:
            threading.Thread(target=self._run, name=f"request-{self._threads}", daemon=True).start()
        except (RuntimeError, MemoryError):
            self._retry_at = self._clock() + RETRY_SECONDS
            return False
        with self._lock:
            self._threads += 1
        return True

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except BaseException as error:
                # Also SystemExit: it would end the thread.
                log.error("panic: %s", error, exc_info=error)

    def _next(self) -> Task | None:
        """Wait for a task and a place; None when the thread is to end."""
        me = threading.get_ident()
        with self._lock:
            if self._places.pop(me, None) is not None and self._returning:
                self._turn.notify()
            self._idle += 1
            while not (self._stopped or self._surplus or (self._tasks and self._free() > self._returning)):
                self._work.wait()
            self._idle -= 1
            if self._stopped or self._surplus:
                self._threads -= 1
                self._surplus = max(0, self._surplus - 1)
                self._pass_on()
                return None
            self._places[me] = self._clock()
            return self._tasks.popleft()

    def _add(self, task: Task) -> None:
        self._tasks.append(task)
        self._pass_on()

    def _pass_on(self) -> None:
        """Wake those for which there is a place. The lock is held."""
        free = self._free()
        self._turn.notify(max(0, min(free, self._returning)))
        self._work.notify(max(0, min(free - self._returning, len(self._tasks))))

    def _free(self) -> int:
        """How many places are free; less than none while tasks that began before `narrow` compute. The lock is held."""
        if len(self._places) >= self._computing:
            late = self._clock() - PLACE_SECONDS
            self._places = {thread: since for thread, since in self._places.items() if since > late}
        return self._computing - len(self._places)
