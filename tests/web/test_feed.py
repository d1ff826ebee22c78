"""The newest message, once for all clients."""

import contextlib
import json
import threading
import unittest
from unittest.mock import Mock

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
        self.assertEqual(self.feed.newest.text, '{"type":"health","seq":1,"status":"healthy","draining":false}')

    def test_the_newest_message_replaces_the_others(self):
        self.assertEqual(self.feed.newest.seq, 0)
        for _ in range(3):
            self.feed.publish()
        self.assertEqual(self.feed.newest.seq, 3)

    def test_listeners_are_called_after_each_message_while_they_listen(self):
        seen = []
        with self.feed.listening(lambda: seen.append(("a", self.feed.newest.seq))):
            self.feed.publish()
            with self.feed.listening(lambda: seen.append(("b", self.feed.newest.seq))):
                self.feed.publish()
            self.feed.publish()
        self.feed.publish()
        self.assertEqual(sorted(seen), [("a", 1), ("a", 2), ("a", 3), ("b", 2)])

    def test_a_message_for_many_listeners_is_serialised_once(self):
        with contextlib.ExitStack() as stack:
            for number in range(96):
                stack.enter_context(self.feed.listening(lambda number=number: None))
            self.feed.publish()
        self.assertEqual(self.asked, 1)

    def test_changes_while_a_message_is_written_make_one_more_and_do_not_wait(self):
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
        self.assertEqual(self.feed.newest, (3, '{"type":"health","seq":3,"state":"new"}'))

    def test_facts_that_fail_are_raised_where_it_is_published_and_the_next_message_comes(self):
        self.feed = Feed(Mock(side_effect=[ZeroDivisionError, {}]))
        with self.assertRaises(ZeroDivisionError):
            self.feed.publish()
        self.assertEqual(self.feed.newest.seq, 0)
        self.feed.publish()
        self.assertEqual(self.feed.newest.seq, 2)

    def test_numbers_rise_whichever_thread_publishes(self):
        threads = [threading.Thread(target=self.feed.publish) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(json.loads(self.feed.newest.text)["seq"], 50)

    def test_text_is_not_escaped(self):
        feed = Feed(lambda: {"service": "Zo\u00eb"})
        feed.publish()
        self.assertIn("Zo\u00eb", feed.newest.text)
