"""The one thread that ever talks to a dependency, and the one that holds it to its deadline."""

import logging
import threading
import time
from collections.abc import Callable

from app.health.checks import Check
from app.health.probe_state import ProbeState, Told, View, Wait
from app.health.record import Record
from app.health.timing import Timing

LATE_SECONDS = 10.0
LONGEST_CHECK_SECONDS = 120.0
ABORT_AGAIN_SECONDS = 0.5

log = logging.getLogger(__name__)


class Prober:
    """Runs the check when it is due and keeps what it brought.

    Two daemon threads: `prober-NAME` runs the checks; `deadline-NAME` settles what time alone decides, cuts
    off a check past its deadline, and tells `listener`, in order and outside the lock, of every step of the
    record. Readers settle too: the deadline holds for them to the moment, whatever the threads do.
    """

    def __init__(
        self,
        check: Check,
        timing: Timing,
        listener: Callable[[Told], None] = lambda told: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = check.name
        self._check = check
        self._listener = listener
        self._clock = clock
        self._wall = wall
        self._changed = threading.Condition()  # guards _state, _started and _stopped
        self._state = ProbeState(Record(check.name, self._wall_ms()), timing)
        self._started = False
        self._stopped = False
        self._prober = threading.Thread(target=self._run, name=f"prober-{self.name}", daemon=True)
        self._deadline = threading.Thread(target=self._keep_time, name=f"deadline-{self.name}", daemon=True)

    def view(self, ask: bool = False) -> View:
        """What is known at this moment. With `ask`, as a probe does: a result too old orders a new check."""
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
        """Block until what is waited for is there, its time is over, or it is given up (see wake_waiters)."""
        with self._changed:
            while self._state.result_began < wait.began and not (self._stopped or given_up()):
                left = wait.until - self._clock()
                if left <= 0:
                    return
                self._changed.wait(left)
                self._settle(self._clock())

    def brought(self, wait: Wait) -> bool:
        """Whether what is waited for is there, or will not come any more. Does not block."""
        with self._changed:
            return self._state.result_began >= wait.began or self._stopped

    def wake_waiters(self) -> None:
        """Have everyone who waits ask anew whether to give up."""
        with self._changed:
            self._changed.notify_all()

    def ailing_threads(self) -> list[str]:
        """Names of the threads that have ended, are late for their turn, or are in one check for too long."""
        now = self._clock()
        with self._changed:
            if not self._started or self._stopped:
                return []
            flight = self._state.flight
            if flight is None:
                stuck = now - self._state.due() > LATE_SECONDS
            else:
                stuck = now - flight.began > LONGEST_CHECK_SECONDS
        ailing = [self._prober] if stuck or not self._prober.is_alive() else []
        if not self._deadline.is_alive():
            ailing.append(self._deadline)
        return [thread.name for thread in ailing]

    def start(self) -> None:
        """Start the threads, and the first check at once; once only, in the process that is to run them."""
        with self._changed:
            self._state.wanted = self._clock()
            self._started = True
        self._prober.start()
        self._deadline.start()

    def stop(self) -> None:
        """Have the threads end; a check under way is cut off. Does not wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._check.abort()

    def join(self, timeout: float) -> None:
        """Wait for the threads, `timeout` seconds each at most."""
        if not self._started:
            return
        self._prober.join(timeout)
        self._deadline.join(timeout)

    def turn(self) -> None:
        """One check, begun now."""
        with self._changed:
            self._state.begin(self._clock(), self._wall_ms())
            self._changed.notify_all()
        outcome = self._check.run()
        with self._changed:
            self._state.end(outcome, self._clock(), self._wall_ms())
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._wait_until_due():
                self.turn()
        finally:
            self._check.close()  # here, because nobody else knows when a check that hangs has come back

    def _wait_until_due(self) -> bool:
        """Block until the next check is due; False if the prober was stopped."""
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
                    # It is cut off again while it lasts: it may have got itself a new socket meanwhile.
                    self._changed.wait(ABORT_AGAIN_SECONDS)
                elif not self._state.untold:
                    left = self._state.settles_at() - now
                    self._changed.wait(min(max(left, 0.0), threading.TIMEOUT_MAX))

    def keep_time(self) -> bool:
        """One turn of the deadline's thread; False once stopped, with everything told."""
        now = self._clock()
        with self._changed:
            self._settle(now)
            overdue = self._state.overdue(now)
            told, self._state.untold = self._state.untold, []
            stopped = self._stopped
        for step in told:
            try:
                self._listener(step)
            except Exception:
                log.exception("what listens to the checks of %s failed", self.name)
        if overdue:
            self._check.abort()
        return not stopped or bool(told)

    def _settle(self, now: float) -> None:  # with _changed held
        known = self._state.record
        self._state.settle(now, self._wall_ms())
        if self._state.record is not known:
            self._changed.notify_all()

    def _wall_ms(self) -> int:
        return int(self._wall() * 1000)
