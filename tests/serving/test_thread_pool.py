import threading
import unittest
from unittest import mock

from app.serving.thread_pool import PLACE_SECONDS, RETRY_SECONDS, ThreadPool
from tests.fakes import DEADLINE, ScriptedClock
from tests.peers.service import eventually

START = threading.Thread.start


class Task:
    """A task that computes until `end` is set, waiting in `wait` at first if it is told to."""

    def __init__(self, pool, waits=False):
        self._pool, self._waits = pool, waits
        self.waiting, self.computing, self.woken, self.end, self.ended = (threading.Event() for _ in range(5))

    def __call__(self):
        if self._waits:
            with self._pool.waiting():
                self.waiting.set()
                self.woken.wait(60)
        self.computing.set()
        self.end.wait(60)
        self.ended.set()


class ThreadPoolTest(unittest.TestCase):
    def pool(self, size, computing, threads=None):
        """A started pool; `threads`: only so many can be had."""
        self.clock = ScriptedClock()
        self.left, self.started = threads, 0
        self.enterContext(mock.patch("threading.Thread.start", lambda thread: self.start(thread)))
        pool = ThreadPool(size, computing, self.clock)
        pool.start()
        self.addCleanup(pool.shutdown)
        return pool

    def start(self, thread):
        if self.left is not None:
            if not self.left:
                raise RuntimeError("can't start new thread")
            self.left -= 1
        self.started += 1
        START(thread)

    def submit(self, pool, *tasks):
        for task in tasks:
            self.addCleanup(task.end.set)
            self.addCleanup(task.woken.set)
            self.assertTrue(pool.submit(task))

    def assert_computing(self, *tasks):
        for task in tasks:
            self.assertTrue(task.computing.wait(DEADLINE))


class TestThreadPool(ThreadPoolTest):
    def test_all_threads_exist_before_the_first_task(self):
        self.pool(6, 2)
        self.assertEqual(self.started, 6)

    def test_as_many_tasks_compute_as_there_are_places_and_the_others_follow_in_order(self):
        pool = self.pool(6, 2)
        tasks = [Task(pool) for _ in range(4)]
        self.submit(pool, *tasks)
        self.assert_computing(*tasks[:2])
        self.assertFalse(tasks[2].computing.is_set())
        tasks[1].end.set()
        self.assert_computing(tasks[2])
        self.assertFalse(tasks[3].computing.is_set())

    def test_a_task_that_waits_gives_up_its_place_and_gets_the_next_free_one_back(self):
        pool = self.pool(6, 1)
        waits, computes, queued = Task(pool, waits=True), Task(pool), Task(pool)
        self.submit(pool, waits, computes, queued)
        self.assert_computing(computes)
        waits.woken.set()
        eventually(lambda: pool._returning)
        self.assertFalse(waits.computing.is_set())
        computes.end.set()
        self.assert_computing(waits)
        self.assertFalse(queued.computing.is_set())
        waits.end.set()
        self.assert_computing(queued)

    def test_any_number_of_tasks_may_wait_at_the_same_time(self):
        pool = self.pool(6, 1)
        waits = [Task(pool, waits=True) for _ in range(5)]
        self.submit(pool, *waits)
        for task in waits:
            self.assertTrue(task.waiting.wait(DEADLINE))

    def test_a_task_that_raises_whatever_it_is_gives_up_its_place_and_ends_no_thread(self):
        pool = self.pool(2, 1)
        for error in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException):
            for waits in (False, True):
                with self.subTest(error, waits=waits), self.assertLogs("app.serving.thread_pool", "ERROR") as logged:
                    task, after = Task(pool, waits), Task(pool)
                    (task.woken if waits else task.end).wait = mock.Mock(side_effect=error("oops"))
                    self.submit(pool, task, after)
                    self.assert_computing(after)
                    after.end.set()
                self.assertEqual([entry.getMessage() for entry in logged.records], ["panic: oops"])

    def test_a_task_that_holds_its_place_too_long_is_no_longer_counted(self):
        pool = self.pool(6, 2)
        stuck, others = [Task(pool), Task(pool)], [Task(pool), Task(pool), Task(pool)]
        self.submit(pool, *stuck)
        self.assert_computing(*stuck)
        self.submit(pool, *others)
        pool.tend()
        self.clock.advance(PLACE_SECONDS)
        pool.tend()
        self.assert_computing(*others[:2])
        for task in stuck:
            task.end.set()
            self.assertTrue(task.ended.wait(DEADLINE))
        self.assertFalse(others[2].computing.is_set(), "two are computing already")
        others[0].end.set()
        self.assert_computing(others[2])

    def test_a_narrowed_pool_has_tasks_compute_one_at_a_time_until_it_is_widened(self):
        pool = self.pool(6, 3)
        tasks = [Task(pool) for _ in range(6)]
        self.submit(pool, *tasks[:3])
        self.assert_computing(*tasks[:3])
        pool.narrow(True)
        self.submit(pool, *tasks[3:])
        for task in tasks[:2]:
            task.end.set()
            self.assertTrue(task.ended.wait(DEADLINE))
        eventually(lambda: len(pool._places) == 1)
        self.assertFalse(any(task.computing.is_set() for task in tasks[3:]))
        tasks[2].end.set()
        self.assert_computing(tasks[3])
        self.assertFalse(tasks[4].computing.is_set())
        pool.narrow(False)
        self.assert_computing(*tasks[4:])

    def test_threads_end_after_shutdown(self):
        pool = self.pool(4, 2)
        task = Task(pool)
        self.submit(pool, task)
        self.assert_computing(task)
        pool.shutdown(wait=False)
        task.end.set()
        eventually(lambda: pool._threads == 0)


class TestTooFewThreads(ThreadPoolTest):
    def pool(self, *args):
        with self.assertLogs("app.serving.thread_pool", "WARNING") as logged:
            pool = super().pool(*args)
        self.logged = [entry.getMessage() for entry in logged.records]
        return pool

    def test_half_of_those_that_can_be_had_are_left_to_others(self):
        pool = self.pool(100, 4, 9)
        self.assertEqual(self.logged, ["only 9 of 100 threads can be had for requests"])
        eventually(lambda: pool._threads == 5)

    def test_a_task_is_refused_when_no_thread_is_free_or_can_be_had(self):
        pool = self.pool(8, 4, 2)
        task = Task(pool)
        eventually(lambda: pool._idle == 1)
        self.submit(pool, task)
        self.assert_computing(task)
        self.assertFalse(pool.submit(Task(pool)))
        task.end.set()
        eventually(lambda: pool._idle == 1)
        self.submit(pool, Task(pool))

    def test_none_at_all_refuses_every_task_until_one_can_be_had(self):
        pool = self.pool(8, 4, 0)
        self.assertFalse(pool.submit(Task(pool)))
        self.left = None
        self.assertFalse(pool.submit(Task(pool)), "not tried again so soon")
        self.clock.advance(RETRY_SECONDS)
        tasks = [Task(pool) for _ in range(3)]
        self.submit(pool, *tasks)
        self.assert_computing(*tasks)


del ThreadPoolTest
