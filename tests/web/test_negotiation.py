"""Which format a request gets."""

import unittest

from app.web.negotiation import chosen

JSON, HEALTH, TEXT = OFFERED = ("application/json", "application/health+json", "text/plain")


class NegotiationTest(unittest.TestCase):
    def test_a_format_is_chosen_where_it_is_named_and_json_otherwise(self):
        for accept, format in [
            ("", JSON),
            ("*/*", JSON),
            ("text/*", JSON),
            ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
            ("text/plain", TEXT),
            ("TEXT/Plain; charset=utf-8", TEXT),
            ("application/health+json", HEALTH),
            ("application/json, text/plain, */*", JSON),
            ("application/health+json, text/plain", HEALTH),
            ("application/health+json;q=0.5, text/plain", TEXT),
            ("text/plain, */*", TEXT),
            ("text/plain;q=0.5, */*", JSON),
            ("text/plain;q=0", JSON),
            ("application/json;q=0, text/plain;q=0.1", TEXT),
            ("application/json;q=0", JSON),
            ("nonsense", JSON),
            (";;,,q=1", JSON),
            ("text/plain;q=banana", JSON),
            ("text/plain," + " " * 2000, JSON),
        ]:
            with self.subTest(accept):
                self.assertEqual(chosen(accept, OFFERED), format)


if __name__ == "__main__":
    unittest.main()
