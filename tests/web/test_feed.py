"""The newest state, once for all."""

import json
import threading
import unittest

from app.web.feed import Feed
from tests.fakes import DEADLINE


class FeedTest(unittest.TestCase):
    def setUp(self):
        self.asked = 0
        self.feed = Feed(self.facts)

    def facts(self):
        self.asked += 1
        return {"status": "healthy", "draining": False}

    def test_a_message_is_its_type_its_number_and_the_facts_in_this_order(self):
        self.feed.publish()
        self.assertEqual(
            self.feed.newer_than(0, 0).text, '{"type":"health","seq":1,"status":"healthy","draining":false}'
        )

    def test_who_comes_later_gets_the_last_one(self):
        for _ in range(3):
            self.feed.publish()
        self.assertEqual(self.feed.newer_than(0, 0).seq, 3)

    def test_who_has_it_gets_nothing_until_there_is_a_newer_one(self):
        self.feed.publish()
        self.assertIsNone(self.feed.newer_than(1, 0))

    def test_who_missed_some_gets_the_newest_only(self):
        for _ in range(100):
            self.feed.publish()
        numbers, seq = [], 10
        while (message := self.feed.newer_than(seq, 0)) is not None:
            numbers.append(seq := message.seq)
        self.assertEqual(numbers, [100])

    def test_ninety_six_clients_cost_one_serialisation_and_get_the_same_text(self):
        got = []
        waiting = threading.Semaphore(0)

        def client():
            waiting.release()
            got.append(self.feed.newer_than(0, DEADLINE))

        threads = [threading.Thread(target=client) for _ in range(96)]
        for thread in threads:
            thread.start()
        for _ in threads:
            self.assertTrue(waiting.acquire(timeout=DEADLINE))
        self.feed.publish()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(self.asked, 1)
        self.assertEqual({id(message.text) for message in got}, {id(got[0].text)})

    def test_what_changes_while_a_message_is_written_is_told_by_the_next_and_holds_up_nobody(self):
        begun, go_on = threading.Event(), threading.Event()
        state, seen = "old", []

        def facts():
            seen.append(state)
            begun.set()
            go_on.wait(DEADLINE)
            return {"state": seen[-1]}

        self.feed = Feed(facts)
        writer = threading.Thread(target=self.feed.publish)
        writer.start()
        self.assertTrue(begun.wait(DEADLINE))
        state = "new"
        self.feed.publish()
        self.feed.publish()
        self.assertEqual(seen, ["old"])
        go_on.set()
        writer.join(DEADLINE)
        self.assertEqual(seen, ["old", "new"])
        self.assertEqual(self.feed.newer_than(0, 0), (3, '{"type":"health","seq":3,"state":"new"}'))

    def test_facts_that_fail_are_told_to_who_publishes_and_the_next_message_comes(self):
        facts = iter([ZeroDivisionError, {}])

        def failing_once():
            result = next(facts)
            if result is ZeroDivisionError:
                raise result
            return result

        self.feed = Feed(failing_once)
        with self.assertRaises(ZeroDivisionError):
            self.feed.publish()
        self.assertIsNone(self.feed.newer_than(0, 0))
        self.feed.publish()
        self.assertEqual(self.feed.newer_than(0, 0).seq, 2)

    def test_numbers_rise_whoever_publishes(self):
        threads = [threading.Thread(target=self.feed.publish) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(json.loads(self.feed.newer_than(0, 0).text)["seq"], 50)

    def test_text_is_not_escaped(self):
        feed = Feed(lambda: {"service": "Zo\u00eb"})
        feed.publish()
        self.assertIn("Zo\u00eb", feed.newer_than(0, 0).text)


if __name__ == "__main__":
    unittest.main()
