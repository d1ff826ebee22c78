"""The form of what programs are answered."""

import unittest

from app.web.responses import json_response, problem


class JsonResponseTest(unittest.TestCase):
    def test_is_the_given_bytes_as_json_that_nobody_stores(self):
        response = json_response(503, b'{"a":1}\n')
        self.assertEqual((response.status_code, response.data), (503, b'{"a":1}\n'))
        self.assertEqual(response.headers["Content-Type"], "application/json")
        self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_a_header_set_on_one_response_is_not_on_the_next(self):
        json_response(200, b"{}").headers["X-Mine"] = "1"
        self.assertNotIn("X-Mine", json_response(200, b"{}").headers)


class ProblemTest(unittest.TestCase):
    """RFC 9457."""

    def test_has_type_title_and_status_in_this_order(self):
        response = problem(404)
        self.assertEqual(response.status_code, 404)
        self.assertEqual(response.data, b'{"type":"about:blank","title":"Not Found","status":404}\n')
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_a_title_may_be_given(self):
        self.assertEqual(problem(500, "Internal server error").get_json()["title"], "Internal server error")
