import threading
import unittest

from app.connections.dial_pool import DialPool
from tests.connections.fakes import DEADLINE, FakeConnection


class TestDialPool(unittest.TestCase):
    def test_a_connection_whose_dial_raises_does_not_end_the_thread(self):
        second = threading.Event()

        def dial(connection):
            if connection.id == "bad":
                raise RuntimeError("defect")
            second.set()

        pool = DialPool(dial, size=1)
        self.addCleanup(pool.join, DEADLINE)
        self.addCleanup(pool.stop)
        with self.assertLogs("app.connections.dial_pool", "ERROR"):
            pool.submit(FakeConnection("bad"))
            pool.submit(FakeConnection("good"))
            self.assertTrue(second.wait(DEADLINE))

    def test_its_threads_are_named_daemons_made_when_needed(self):
        names = []
        told = threading.Semaphore(0)

        def dial(connection):
            names.append((threading.current_thread().name, threading.current_thread().daemon))
            told.release()

        pool = DialPool(dial, size=2)
        self.addCleanup(pool.join, DEADLINE)
        self.addCleanup(pool.stop)
        self.assertEqual(pool._threads, [])
        for _ in range(3):
            pool.submit(FakeConnection("a"))
        for _ in range(3):
            self.assertTrue(told.acquire(timeout=DEADLINE))
        self.assertLessEqual(set(names), {("dial-1", True), ("dial-2", True)})
        self.assertEqual(len(pool._threads), 2)

    def test_after_stop_nothing_is_dialled_not_even_what_waited(self):
        entered, release, dialled = threading.Event(), threading.Event(), []

        def dial(connection):
            dialled.append(connection.id)
            entered.set()
            release.wait(DEADLINE)

        pool = DialPool(dial, size=1)
        pool.submit(FakeConnection("first"))
        self.assertTrue(entered.wait(DEADLINE))
        pool.submit(FakeConnection("waited"))
        pool.stop()
        pool.submit(FakeConnection("late"))
        release.set()
        pool.join(DEADLINE)
        self.assertEqual(dialled, ["first"])


if __name__ == "__main__":
    unittest.main()
