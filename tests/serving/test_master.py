import errno
import os
import signal
import unittest

from app.serving import master


class FakeArbiter:
    """gunicorn's master, as far as it is changed; its fork fails with each of `errors` first."""

    def __init__(self, *errors, pid=None):
        self.pid = pid or os.getpid()
        self.workers = 0
        self._errors = list(errors)
        master.prepare(self)

    def spawn_worker(self):
        if self._errors:
            raise self._errors.pop(0)
        self.workers += 1


def no_process():
    return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class TestMaster(unittest.TestCase):
    def test_a_worker_that_cannot_be_started_is_logged_and_left_to_the_next_turn(self):
        arbiter = FakeArbiter(no_process(), no_process())
        with self.assertLogs("app.serving.master", "ERROR") as logged:
            for _ in range(3):
                arbiter.spawn_worker()
        self.assertEqual(arbiter.workers, 1)
        self.assertEqual(
            [entry.getMessage() for entry in logged.records],
            ["no worker can be started: Resource temporarily unavailable"] * 2,
        )

    def test_an_error_in_the_new_process_ends_it(self):
        with self.assertRaises(OSError):
            FakeArbiter(no_process(), pid=1).spawn_worker()

    def test_signals_that_would_change_the_number_of_processes_are_ignored(self):
        arbiter = FakeArbiter()
        for number in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2):
            with self.subTest(number.name), self.assertLogs("app.serving.master", "WARNING") as logged:
                getattr(arbiter, f"handle_{number.name[3:].lower()}")()
            self.assertIn(f"{number.name} is ignored: ", logged.records[0].getMessage())
