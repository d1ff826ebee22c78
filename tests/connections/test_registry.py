"""The map of all connections."""

import threading
import unittest
from unittest import mock

from app.connections.connection import Direction, State
from app.connections.registry import Registry, RegistryClosed
from tests.fakes import DEADLINE, FakeConnection


def at_once(*functions):
    """Run each in a thread of its own, all at the same time."""
    start = threading.Barrier(len(functions))

    def run(function):
        start.wait(DEADLINE)
        function()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)


class MapTest(unittest.TestCase):
    def setUp(self):
        self.registry = Registry(inbound_cap=2)

    def test_a_connection_stays_until_it_is_removed_and_is_not_closed_then(self):
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        self.assertEqual(self.registry.snapshot(), {"a": connection})
        self.assertIs(self.registry.remove("a"), connection)
        self.assertIsNone(self.registry.remove("a"))
        self.assertEqual(connection.closes, [])

    def test_a_snapshot_is_a_copy(self):
        self.registry.add("a", FakeConnection("a"))
        self.registry.snapshot().clear()
        self.assertEqual(len(self.registry.snapshot()), 1)

    def test_an_id_that_is_taken_is_refused_and_the_first_connection_stays(self):
        first = FakeConnection("a")
        self.registry.add("a", first)
        with self.assertRaisesRegex(ValueError, "'a'"):
            self.registry.add("a", FakeConnection("a"))
        self.assertIs(self.registry.snapshot()["a"], first)

    def test_counts_and_facts_show_direction_and_state(self):
        self.registry.add("a", FakeConnection("a"))
        self.registry.add("b", FakeConnection("b", Direction.INBOUND))
        self.registry.add("c", failed := FakeConnection("c"))
        failed.enter(State.FAILED)
        self.registry.reserve()
        self.registry.refused.count("origin")
        self.assertEqual(
            self.registry.counts(),
            {
                (Direction.OUTBOUND, State.CONNECTED): 1,
                (Direction.INBOUND, State.CONNECTED): 1,
                (Direction.OUTBOUND, State.FAILED): 1,
            },
        )
        a, c = self.registry.snapshot()["a"], failed
        self.assertEqual(
            self.registry.facts(),
            {
                "by_state": {"connecting": 0, "connected": 2, "reconnecting": 0, "failed": 1, "closed": 0},
                "outbound": [
                    {"id": "a", "state": "connected", "reason": None, "attempts": 0, "since": a.since},
                    {"id": "c", "state": "failed", "reason": None, "attempts": 0, "since": c.since},
                ],
                "inbound": {"open": 1, "cap": 2, "refused": 1},
            },
        )


class PlacesTest(unittest.TestCase):
    def test_a_client_beyond_the_cap_is_refused_and_counted(self):
        registry = Registry(inbound_cap=2)
        self.assertEqual([registry.reserve() for _ in range(3)], [True, True, False])
        registry.release()
        self.assertTrue(registry.reserve())
        self.assertEqual(registry.refused.snapshot()["capacity"], 1)

    def test_there_are_no_places_once_closing_has_begun(self):
        registry = Registry(inbound_cap=2)
        registry.close_all()
        self.assertFalse(registry.reserve())
        self.assertEqual(registry.refused.snapshot()["closing"], 1)

    def test_many_threads_never_take_more_places_than_there_are(self):
        registry = Registry(inbound_cap=5)
        inside = threading.BoundedSemaphore(5)

        def visit():
            for _ in range(300):
                if registry.reserve():
                    crowded.append(not inside.acquire(blocking=False))
                    inside.release()
                    registry.release()

        crowded = []
        at_once(*[visit] * 12)
        self.assertNotIn(True, crowded)
        self.assertEqual(registry.facts()["inbound"]["open"], 0)


class ClosingTest(unittest.TestCase):
    def test_all_are_closed_first_and_then_waited_for_in_one_budget(self):
        registry = Registry(inbound_cap=0)
        order = []
        for name in "ab":
            connection = FakeConnection(name)
            connection.close = lambda code, words, name=name: order.append((name, code))
            connection.finish = lambda timeout, name=name: order.append((name, timeout))
            registry.add(name, connection)
        registry.close_all(1001, timeout=0.5)
        self.assertEqual(order[:2], [("a", 1001), ("b", 1001)])
        self.assertEqual([name for name, _ in order[2:]], ["a", "b"])
        self.assertTrue(0.5 >= order[2][1] >= order[3][1] >= 0)
        self.assertEqual(registry.snapshot(), {})
        registry.close_all()
        self.assertEqual(len(order), 4)

    def test_a_connection_that_is_added_while_it_closes_is_closed_or_refused(self):
        for _ in range(20):
            registry = Registry(inbound_cap=0)
            taken, refused = [], []

            def add(first):
                for number in range(50):
                    connection = FakeConnection(f"{first}-{number}")
                    try:
                        registry.add(connection.id, connection)
                        taken.append(connection)
                    except RegistryClosed:
                        refused.append(connection)

            at_once(registry.close_all, *[lambda first=first: add(first) for first in range(8)])
            self.assertEqual(len(taken) + len(refused), 400)
            self.assertEqual([len(connection.closes) for connection in taken], [1] * len(taken))
            self.assertEqual([len(connection.closes) for connection in refused], [0] * len(refused))


class ListenersTest(unittest.TestCase):
    def setUp(self):
        self.registry = Registry(inbound_cap=0)
        self.seen = []

    def test_they_are_called_when_one_is_added_changes_and_is_removed(self):
        self.registry.listen(lambda connection, state: self.seen.append((connection.id, state)))
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        self.assertTrue(connection.enter(State.RECONNECTING))
        self.assertFalse(connection.enter(State.RECONNECTING))
        self.registry.remove("a")
        self.registry.remove("a")
        self.assertEqual(self.seen, [("a", State.CONNECTED), ("a", State.RECONNECTING), ("a", None)])

    def test_they_are_called_outside_every_lock(self):
        def listener(connection, state):
            self.seen.append((len(self.registry.snapshot()), connection.state, connection._lock.locked()))

        self.registry.listen(listener)
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        connection.enter(State.FAILED)
        self.assertEqual(self.seen, [(1, State.CONNECTED, False), (1, State.FAILED, False)])

    def test_one_that_raises_is_logged_and_the_next_is_called(self):
        self.registry.listen(mock.Mock(side_effect=RuntimeError("listener")))
        self.registry.listen(lambda connection, state: self.seen.append(state))
        with self.assertLogs("app.connections.registry", "ERROR"):
            self.registry.add("a", FakeConnection("a"))
        self.assertEqual(self.seen, [State.CONNECTED])
