import unittest

from app.connections.message_hook import MessageHook


class TestMessageHook(unittest.TestCase):
    def test_messages_are_counted_and_handed_on_with_the_name(self):
        seen = []
        hook = MessageHook("a", lambda name, message: seen.append((name, message)))
        hook("one")
        hook(b"two")
        self.assertEqual(seen, [("a", "one"), ("a", b"two")])
        self.assertEqual(hook.count, 2)

    def test_without_a_handler_they_are_counted(self):
        hook = MessageHook("a", None)
        hook("")
        self.assertEqual(hook.count, 1)

    def test_a_handler_that_raises_is_logged_once_for_a_row_of_failures(self):
        def handler(name, message):
            if message == "bad":
                raise RuntimeError("handler")

        hook = MessageHook("a", handler)
        with self.assertLogs("app.connections.message_hook", "ERROR") as logs:
            for message in ("bad", "bad", "good", "bad", "bad"):
                hook(message)
        self.assertEqual(len(logs.records), 2)
        self.assertEqual(hook.count, 5)


if __name__ == "__main__":
    unittest.main()
