"""The table of probers, with a scripted clock."""

import threading
import tracemalloc
import unittest

from app.health.probers import MOST_PROBERS, Probers
from tests.fakes import ScriptedClock

BEGINNING = 1_795_464_000.0


class ProbersTest(unittest.TestCase):
    def setUp(self):
        self.clock, self.wall = ScriptedClock(1000.0), ScriptedClock(BEGINNING)
        self.probers = Probers(["/health", "/health/live", "/metrics"], self.clock, self.wall)
        self.probers.sees_abandonment = True

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.wall.advance(seconds)

    def ask(self, product="curl/8", route="/health", address="10.0.0.1", status=200):
        asked = self.probers.ask(address, product, route)
        asked.prober.last_status = status
        return asked.prober

    def test_a_prober_is_shown_with_everything_that_is_known_of_it(self):
        self.ask("kube-probe/1.31")
        self.advance(10)
        self.ask("kube-probe/1.31", status=503)
        [seen] = self.probers.seen()
        self.assertEqual(
            list(seen.facts().items()),
            [
                ("address", "10.0.0.1"),
                ("product", "kube-probe/1.31"),
                ("kind", "kubelet"),
                ("route", "/health"),
                ("first_seen", 1_795_464_000_000),
                ("last_seen", 1_795_464_010_000),
                ("count", 2),
                ("period_ms", 10_000.0),
                ("last_status", 503),
                ("abandoned", 0),
                ("abandoned_after_ms", None),
            ],
        )

    def test_address_product_and_route_tell_probers_apart(self):
        one = self.ask()
        for other in (self.ask(product=None), self.ask(route="/metrics"), self.ask(address="10.0.0.2")):
            self.assertIsNot(other, one)
        self.assertIs(self.ask(), one)
        self.assertEqual([each.count for each in self.probers.seen()], [2, 1, 1, 1])

    def test_the_one_most_recently_seen_is_shown_first(self):
        for product in ("a", "b", "c"):
            self.ask(product)
            self.advance(1)
        self.ask("b")
        self.assertEqual([each.product for each in self.probers.seen()], ["b", "c", "a"])

    def test_the_period_is_the_median_of_the_last_16_distances(self):
        self.ask()
        self.assertIsNone(self.probers.seen()[0].period_ms)
        for distance in [500] + [1] * 8 + [2] * 8:
            self.advance(distance)
            self.ask()
        self.assertEqual(self.probers.seen()[0].period_ms, 1500.0)
        self.advance(2)
        self.ask()
        self.assertEqual(self.probers.seen()[0].period_ms, 2000.0)

    def test_the_times_shown_follow_the_wall_clock_and_distances_do_not(self):
        self.ask()
        self.clock.advance(5)
        self.wall.advance(3605)  # set right meanwhile
        self.ask()
        [seen] = self.probers.seen()
        self.assertEqual((seen.period_ms, seen.last_seen - seen.first_seen), (5000.0, 5000))
        self.assertEqual(seen.last_seen, int((BEGINNING + 3605) * 1000))

    def test_an_abandoned_request_has_no_status_and_the_shortest_patience_is_kept(self):
        prober = self.ask(status=200)
        for after in (1.25, 1.0, 2.0, None):
            self.probers.gave_up(prober, after)
        [seen] = self.probers.seen()
        self.assertEqual((seen.last_status, seen.abandoned, seen.abandoned_after_ms), (None, 4, 1000))
        self.assertEqual(self.probers.abandoned.snapshot(), {"/health": 4, "/health/live": 0, "/metrics": 0})

    def test_abandonment_is_null_where_the_server_cannot_see_it(self):
        self.ask()
        self.probers.sees_abandonment = False
        [seen] = self.probers.seen()
        self.assertEqual((seen.abandoned, seen.abandoned_after_ms), (None, None))

    def test_the_one_least_recently_seen_makes_room(self):
        for number in range(MOST_PROBERS):
            self.ask(f"agent-{number}")
            self.advance(1)
        self.ask("agent-0")
        self.advance(1)
        self.ask("one more")
        products = {each.product for each in self.probers.seen()}
        self.assertEqual(len(products), MOST_PROBERS)
        self.assertNotIn("agent-1", products)
        self.assertLessEqual({"agent-0", "agent-2", "one more"}, products)

    def test_one_that_was_evicted_equals_no_request_and_begins_anew(self):
        evicted = self.ask("kube-probe/1.31")
        unnamed = self.ask(None)
        for number in range(MOST_PROBERS):
            self.advance(1)
            self.ask(f"agent-{number}")
        self.assertEqual((evicted.product, unnamed.product), ("", ""))
        again = self.ask("kube-probe/1.31")
        self.assertIsNot(again, evicted)
        self.assertEqual(again.count, 1)

    def test_what_has_been_asked_is_remembered_beyond_the_table(self):
        self.assertFalse(self.probers.has_been_asked("/health/live"))
        self.ask(route="/health/live")
        for number in range(MOST_PROBERS):
            self.ask(f"agent-{number}")
        self.assertTrue(self.probers.has_been_asked("/health/live"))

    def test_memory_is_bounded_whatever_strangers_send(self):
        def flood(count):
            for number in range(count):
                self.ask(f"{number:064}", address=f"2001:db8:{number % 65536:x}::1")

        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        flood(2 * MOST_PROBERS)
        before, _ = tracemalloc.get_traced_memory()
        flood(40 * MOST_PROBERS)
        self.assertLess(before, 256 * 1024)
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 16 * 1024)
        self.assertEqual(len(self.probers.seen()), MOST_PROBERS)

    def test_no_request_is_lost_when_threads_count_at_the_same_time(self):
        def work():
            for _ in range(5000):
                self.ask()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            self.probers.seen()
        for thread in threads:
            thread.join()
        self.assertEqual(self.probers.seen()[0].count, 20_000)


class FloodTest(unittest.TestCase):
    def setUp(self):
        self.clock = ScriptedClock(1000.0)
        self.probers = Probers(["/health"], self.clock, self.clock)

    def ask(self, rate, seconds):
        """At an even rate."""
        prober = self.probers.find("10.0.0.1", "wrk", "/health")
        for _ in range(int(rate * seconds)):
            prober.asked(self.clock())
            self.clock.advance(1 / rate)

    @property
    def rate(self):
        return self.probers.seen()[0].flood_rate

    def test_a_rate_above_50_for_a_minute_is_a_flood(self):
        self.ask(80, 55)
        self.assertEqual(self.rate, 0)
        self.ask(80, 20)
        self.assertAlmostEqual(self.rate, 80, delta=1)

    def test_a_rate_of_50_or_less_is_not_a_flood(self):
        self.ask(49.9, 200)
        self.assertEqual(self.rate, 0)

    def test_a_burst_is_not_spread_over_a_minute(self):
        for _ in range(5):
            self.ask(10_000, 1)
            self.clock.advance(30)
        self.assertEqual(self.rate, 0)

    def test_a_flood_that_pauses_begins_anew(self):
        self.ask(80, 50)
        self.clock.advance(15)
        self.ask(80, 50)
        self.assertEqual(self.rate, 0)

    def test_a_flood_is_over_when_its_prober_goes_or_slows_down(self):
        self.ask(80, 90)
        self.assertGreater(self.rate, 50)
        self.clock.advance(11)
        self.assertEqual(self.rate, 0)
        self.ask(1, 30)
        self.assertEqual(self.rate, 0)


if __name__ == "__main__":
    unittest.main()
