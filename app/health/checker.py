"""The one thread that talks to a dependency, and the one that holds its checks to their deadline."""

import logging
import threading
import time
from collections.abc import Callable

from app.checks.check import Check, perform
from app.health.checker_state import CheckerState, Step, View, Wait
from app.health.dependency import Dependency
from app.health.record import Record
from app.net.clock import clock as default_clock

LATE_SECONDS = 10.0
LONGEST_CHECK_SECONDS = 120.0
ABORT_AGAIN_SECONDS = 0.5

log = logging.getLogger(__name__)


class Checker:
    """Runs the check when it is due and keeps its result.

    Two daemon threads: `checker-NAME` runs the checks; `deadline-NAME` settles what time alone decides, cuts off a
    check that is past its deadline, and passes every step of the record to `listener`, in order and outside the lock.
    Readers settle too: for them the deadline is exact, whatever the threads do. `awake` is a clock that stands still while
    the machine sleeps, unlike `clock`.
    """

    def __init__(
        self,
        dependency: Dependency,
        check: Check,
        listener: Callable[[Step], None] = lambda step: None,
        clock: Callable[[], float] = default_clock,
        wall: Callable[[], float] = time.time,
        awake: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = dependency.name
        self.timing = dependency.timing
        self._check = check
        self._listener = listener
        self._clock = clock
        self._wall = wall
        self._awake = awake
        self._changed = threading.Condition()  # guards what follows, but for the threads
        self._state = CheckerState(Record(dependency, self._wall_ms()))
        self._started = False
        self._stopped = False
        self._slept = clock() - awake()
        self._woken_at = -LATE_SECONDS
        self._checker = threading.Thread(target=self._run, name=f"checker-{self.name}", daemon=True)
        self._deadline = threading.Thread(target=self._keep_time, name=f"deadline-{self.name}", daemon=True)

    def view(self, ask: bool = False) -> View:
        """What is known at this moment. With `ask`, as for a probe: a result that is too old orders a new check."""
        now = self._clock()
        with self._changed:
            self._settle(now)
            wanted = self._state.wanted
            view = self._state.view(now, ask)
            if self._state.wanted != wanted:
                self._changed.notify_all()
            return view

    def want(self, moment: float) -> None:
        """Order a check that begins at `moment` or later."""
        with self._changed:
            if moment > self._state.wanted:
                self._state.wanted = moment
                self._changed.notify_all()

    def follow(self, following: bool) -> None:
        """Count one follower more or less; while there are any, a check is made every `max_age`."""
        with self._changed:
            self._state.followers += 1 if following else -1
            self._changed.notify_all()

    def wait_for(self, wait: Wait, given_up: Callable[[], bool] = lambda: False) -> None:
        """Block until the result has arrived, its time is over, or the wait is given up (see wake_waiters)."""
        with self._changed:
            while self._state.result_began < wait.began and not (self._stopped or given_up()):
                left = wait.until - self._clock()
                if left <= 0:
                    return
                self._changed.wait(left)
                self._settle(self._clock())

    def arrived(self, wait: Wait) -> bool:
        """Whether the awaited result has arrived, or cannot arrive any more. Does not block."""
        with self._changed:
            return self._state.result_began >= wait.began or self._stopped

    def wake_waiters(self) -> None:
        """Make every waiter check again whether to give up."""
        with self._changed:
            self._changed.notify_all()

    def ailing_threads(self) -> list[str]:
        """Names of the threads that have ended, are late for their turn, or have been in one check for too long."""
        now, awake = self._clock(), self._awake()
        with self._changed:
            if not self._started or self._stopped:
                return []
            if now - awake > self._slept + 1:
                # The machine has slept, and so have the threads, whatever was due meanwhile.
                self._slept, self._woken_at = now - awake, awake
                self._changed.notify_all()
            flight = self._state.flight
            if flight is None:
                stuck = now - self._state.due() > LATE_SECONDS
            else:
                stuck = now - flight.began > LONGEST_CHECK_SECONDS
        stuck = stuck and awake - self._woken_at > LATE_SECONDS
        ailing = [self._checker] if stuck or not self._checker.is_alive() else []
        if not self._deadline.is_alive():
            ailing.append(self._deadline)
        return [thread.name for thread in ailing]

    def start(self) -> None:
        """Start the threads, and the first check at once; once only, in the process that is to run them.

        Raises RuntimeError if the system gives no thread.
        """
        with self._changed:
            self._state.wanted = self._clock()
        self._checker.start()
        self._deadline.start()
        with self._changed:
            self._started = True

    def stop(self) -> None:
        """Make the threads end; a check under way is cut off. Does not wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            self._check.abort()

    def join(self, timeout: float) -> None:
        """Wait for the threads, at most `timeout` seconds for each."""
        for thread in (self._checker, self._deadline):
            if thread.ident is not None:
                thread.join(timeout)

    def turn(self) -> None:
        """One check, begun now."""
        with self._changed:
            self._state.begin(self._clock(), self._wall_ms())
            self._changed.notify_all()
        outcome = perform(self._check, self.timing.timeout, self._clock)
        with self._changed:
            self._state.end(outcome, self._clock(), self._wall_ms())
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._wait_until_due():
                self.turn()
        finally:
            self._check.close()  # only this thread can tell when a check that hangs has come back

    def _wait_until_due(self) -> bool:
        """Block until the next check is due; False if the checker was stopped."""
        with self._changed:
            while not self._stopped:
                left = self._state.due() - self._clock()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def _keep_time(self) -> None:
        while self.keep_time():
            with self._changed:
                now = self._clock()
                if self._stopped:
                    continue
                if self._state.overdue(now):
                    # It is cut off again for as long as it lasts: it may have opened a new socket meanwhile.
                    self._changed.wait(ABORT_AGAIN_SECONDS)
                elif not self._state.unpublished:
                    left = self._state.settles_at() - now
                    self._changed.wait(min(max(left, 0.0), threading.TIMEOUT_MAX))

    def keep_time(self) -> bool:
        """One turn of the deadline's thread; False once stopped and everything is published."""
        now = self._clock()
        with self._changed:
            self._settle(now)
            steps, self._state.unpublished = self._state.unpublished, []
            stopped = self._stopped
            if self._state.overdue(now):
                # Under the lock, or the next check could begin before the cut and lose its socket to it. Does not block.
                self._check.abort()
        for step in steps:
            try:
                self._listener(step)
            except Exception:
                log.exception("a listener to the checks of %s failed", self.name)
        return not stopped or bool(steps)

    def _settle(self, now: float) -> None:  # with _changed held
        known = self._state.record
        self._state.settle(now, self._wall_ms())
        if self._state.record is not known:
            self._changed.notify_all()

    def _wall_ms(self) -> int:
        return int(self._wall() * 1000)
