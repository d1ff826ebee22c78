import threading
import time
import unittest

from app.connections.connection import Direction, State
from app.connections.registry import DuplicateId, Registry, RegistryClosed
from tests.connections.fakes import DEADLINE, FakeConnection


class TestMap(unittest.TestCase):
    def setUp(self):
        self.registry = Registry(inbound_cap=2)

    def test_what_is_added_is_there_until_it_is_removed(self):
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        self.assertTrue(self.registry.holds(connection))
        self.assertEqual(self.registry.snapshot(), {"a": connection})
        self.assertIs(self.registry.remove("a"), connection)
        self.assertIsNone(self.registry.remove("a"))
        self.assertFalse(self.registry.holds(connection))
        self.assertEqual(connection.closes, [])

    def test_a_snapshot_is_a_copy(self):
        self.registry.add("a", FakeConnection("a"))
        self.registry.snapshot().clear()
        self.assertEqual(len(self.registry.snapshot()), 1)

    def test_an_id_that_is_taken_is_refused_and_the_first_stays(self):
        first = FakeConnection("a")
        self.registry.add("a", first)
        with self.assertRaisesRegex(DuplicateId, "'a'"):
            self.registry.add("a", FakeConnection("a"))
        self.assertIs(self.registry.snapshot()["a"], first)

    def test_an_id_that_is_not_the_connections_own_is_refused(self):
        with self.assertRaises(ValueError):
            self.registry.add("b", FakeConnection("a"))

    def test_another_connection_of_the_same_id_is_not_held(self):
        self.registry.add("a", FakeConnection("a"))
        self.assertFalse(self.registry.holds(FakeConnection("a")))

    def test_counts_and_facts_tell_direction_and_state(self):
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
        facts = self.registry.facts()
        self.assertEqual(
            facts["by_state"], {"connecting": 0, "connected": 2, "reconnecting": 0, "failed": 1, "closed": 0}
        )
        self.assertEqual(
            [(each["id"], each["state"], each["attempts"]) for each in facts["outbound"]],
            [("a", "connected", 0), ("c", "failed", 0)],
        )
        self.assertEqual(facts["outbound"][1]["since"], failed.since)
        self.assertEqual(facts["inbound"], {"open": 1, "cap": 2, "refused": 1})

    def test_copying_ten_thousand_holds_the_lock_for_less_than_a_millisecond(self):
        for number in range(10_000):
            self.registry.add(f"c{number}", FakeConnection(f"c{number}"))
        times = []
        for _ in range(20):
            begin = time.perf_counter()
            self.registry.snapshot()
            times.append(time.perf_counter() - begin)
        self.assertLess(min(times), 0.001)


class TestPlaces(unittest.TestCase):
    def test_the_next_after_the_cap_is_refused_and_counted(self):
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
        guard, inside, most = threading.Lock(), 0, 0

        def visit():
            nonlocal inside, most
            for _ in range(300):
                if registry.reserve():
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
                    registry.release()

        threads = [threading.Thread(target=visit) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertLessEqual(most, 5)
        self.assertEqual(registry.facts()["inbound"]["open"], 0)


class TestClosing(unittest.TestCase):
    def test_all_are_closed_first_and_then_waited_for_in_one_budget(self):
        registry = Registry(inbound_cap=0)
        order = []

        class Recorded(FakeConnection):
            def close(self, code=1001, message=""):
                order.append(("close", self.id, code))
                return True

            def finish(self, timeout):
                order.append(("finish", self.id, timeout))

        for name in "ab":
            registry.add(name, Recorded(name))
        registry.close_all(1001, timeout=0.5)
        self.assertEqual(order[:2], [("close", "a", 1001), ("close", "b", 1001)])
        self.assertEqual([entry[:2] for entry in order[2:]], [("finish", "a"), ("finish", "b")])
        self.assertTrue(0.5 >= order[2][2] >= order[3][2] >= 0)
        self.assertEqual(registry.snapshot(), {})
        registry.close_all()
        self.assertEqual(len(order), 4)

    def test_nothing_is_taken_once_closing_has_begun(self):
        registry = Registry(inbound_cap=0)
        registry.close_all()
        with self.assertRaises(RegistryClosed):
            registry.add("a", FakeConnection("a"))

    def test_under_contention_every_connection_is_closed_or_refused(self):
        """What is added while it closes is never left behind."""
        for _ in range(20):
            registry = Registry(inbound_cap=0)
            start = threading.Barrier(9)
            taken, refused = [], []

            def add(first):
                start.wait(DEADLINE)
                for number in range(50):
                    connection = FakeConnection(f"{first}-{number}")
                    try:
                        registry.add(connection.id, connection)
                        taken.append(connection)
                    except RegistryClosed:
                        refused.append(connection)

            def close():
                start.wait(DEADLINE)
                registry.close_all()

            threads = [threading.Thread(target=add, args=(first,)) for first in range(8)]
            threads.append(threading.Thread(target=close))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(DEADLINE)
            self.assertEqual(len(taken) + len(refused), 400)
            self.assertEqual({len(connection.closes) for connection in taken} | {1}, {1})
            self.assertEqual(sum(len(connection.closes) for connection in refused), 0)
            self.assertEqual(registry.snapshot(), {})

    def test_one_of_many_that_add_the_same_id_wins(self):
        registry = Registry(inbound_cap=0)
        start = threading.Barrier(16)
        won = []

        def add():
            start.wait(DEADLINE)
            for number in range(100):
                try:
                    registry.add(f"c{number}", FakeConnection(f"c{number}"))
                    won.append(number)
                except DuplicateId:
                    pass

        threads = [threading.Thread(target=add) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(sorted(won), list(range(100)))


class TestObservers(unittest.TestCase):
    def setUp(self):
        self.registry = Registry(inbound_cap=0)
        self.seen = []

    def test_they_hear_of_adding_changing_and_removing(self):
        self.registry.subscribe(lambda connection, state: self.seen.append((connection.id, state)))
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        connection.enter(State.RECONNECTING)
        self.registry.remove("a")
        self.registry.remove("a")
        self.assertEqual(self.seen, [("a", State.CONNECTED), ("a", State.RECONNECTING), ("a", None)])

    def test_they_are_called_outside_every_lock(self):
        def observer(connection, state):
            self.seen.append((len(self.registry.snapshot()), connection.state, connection._lock.locked()))

        self.registry.subscribe(observer)
        connection = FakeConnection("a")
        self.registry.add("a", connection)
        connection.enter(State.FAILED)
        self.assertEqual(self.seen, [(1, State.CONNECTED, False), (1, State.FAILED, False)])

    def test_one_that_raises_is_logged_and_the_next_still_hears(self):
        def bad(connection, state):
            raise RuntimeError("observer")

        self.registry.subscribe(bad)
        self.registry.subscribe(lambda connection, state: self.seen.append(state))
        with self.assertLogs("app.connections.registry", "ERROR"):
            self.registry.add("a", FakeConnection("a"))
        self.assertEqual(self.seen, [State.CONNECTED])


if __name__ == "__main__":
    unittest.main()
