"""The status page in a real browser, against the running service."""

import time
import unittest

from websockets.sync.client import connect

from tests.page.chromium import Chromium
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.mongo import Nx27017
from tests.peers.service import Service

LOST = "connection lost, reconnecting"
ICON = "document.querySelector('link[rel=icon]').href"
FETCHED = "performance.getEntriesByType('resource').filter((each) => each.initiatorType === 'fetch').length"


def setUpModule():
    global browser
    browser = unittest.enterModuleContext(Chromium())


class LiveTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mongo = cls.enterClassContext(Nx27017())

    def setUp(self):
        self.ai = self.enterContext(FaultyAiService())

    def serve(self, **settings):
        peers = {"MONGO_URI": self.mongo.uri, "AI_SERVICE_URL": self.ai.url}
        self.service = self.enterContext(Service(CHECK_TIMEOUT_SECONDS="1.5", **peers, **settings))
        self.page = self.enterContext(browser.page())
        return self.page

    def open(self, **settings):
        page = self.serve(**settings)
        page.goto(f"{self.service.url}/")
        page.evaluate("window.loadedOnce = true")
        return page

    def assert_shown(self, summary, verdict, seconds):
        """The page comes to show it by itself, at most `seconds` after the service has found out."""
        self.page.wait_until(
            f"document.querySelector('h1').innerText === '{verdict}'"
            f" && document.querySelector('.summary').innerText === '{summary}'"
        )
        seen = time.time() * 1000
        known = self.service.json("/health/details")["checks"]["ai_service"]["changes"][-1]["at"]
        self.assertLess(seen - known, seconds * 1000)
        self.assertIn(verdict, self.page.evaluate("document.title"))
        self.assertTrue(self.page.evaluate(ICON).endswith(f"/{verdict}.svg"))
        self.assertTrue(self.page.evaluate("window.loadedOnce"))

    def test_a_healthy_service_is_shown_and_only_the_service_is_contacted(self):
        page = self.open()
        page.wait_until("document.querySelector('h1').innerText === 'healthy'")
        text = page.text()
        for words in ("Every dependency is connected.", "MongoDB", "AI service", "version 1.0.0", "of 96 places taken"):
            self.assertIn(words, text)
        self.assertRegex(text, r"connected\s+100 %\s+[0-9.]+ ms\n")
        self.assertEqual(page.evaluate("document.querySelectorAll('h1').length"), 1)
        self.assertEqual(page.evaluate("document.title"), "healthy · server")
        page.wait_for_event("Network.webSocketFrameReceived")
        self.assertEqual({url.split("://")[1].split("/")[0] for url in page.requested()}, {self.service.url[7:]})
        self.assertEqual(page.errors(), [])

    def test_a_fault_and_its_end_are_shown_at_once_and_leave_no_error_in_the_console(self):
        page = self.open()
        page.wait_for_event("Network.webSocketFrameReceived")
        self.ai.refuse()
        self.assert_shown("AI service is disconnected: connection refused.", "unhealthy", 2)
        self.ai.resume()
        self.assert_shown("Every dependency is connected.", "healthy", 2)
        self.ai.mode = Mode.MUTE
        self.assert_shown("AI service is disconnected: no answer within 1.5 s.", "unhealthy", 2)
        self.assertEqual(page.errors(), [])

    def test_where_websockets_do_not_pass_the_page_is_fetched_every_five_seconds(self):
        page = self.serve(WS_MAX_CONNECTIONS="1")
        with connect(f"{self.service.url.replace('http', 'ws')}/ws", proxy=None):
            page.goto(f"{self.service.url}/")
            page.evaluate("window.loadedOnce = true")
            page.wait_until("document.querySelector('h1').innerText === 'healthy'")
            self.ai.mode = Mode.STATUS_503
            self.assert_shown("AI service is disconnected: status code not accepted.", "unhealthy", 6)
            self.assertEqual(self.service.get("/health/details").status, 503)
            self.assertEqual(page.errors(), [])
        self.assertEqual(page.seen("Network.webSocketFrameReceived"), [])

    def test_a_service_that_ends_is_reported_lost_and_found_again(self):
        page = self.open()
        page.wait_for_event("Network.webSocketFrameReceived")
        self.service.close()
        page.wait_until(f"document.body.innerText.includes('{LOST}')")
        self.assertRegex(page.text(".lost"), rf"^{LOST}\nlast known state, \d+ s ago:$")
        self.assertEqual(page.evaluate("document.title"), "connection lost · server")
        self.assertTrue(page.evaluate(ICON).endswith("/lost.svg"))
        frames = len(page.seen("Network.webSocketFrameReceived"))
        self.enterContext(Service(PORT=str(self.service.port)))
        page.wait_until(f"!document.body.innerText.includes('{LOST}')")
        page.wait_until("document.querySelector('h1').innerText === 'unhealthy'")
        self.assertTrue(page.evaluate("window.loadedOnce"))
        page.wait_for_event("Network.webSocketFrameReceived", frames + 1)

    def test_a_password_entered_once_is_enough_for_page_fetch_and_feed(self):
        page = self.serve(STATUS_TOKEN="sesame")
        page.enter_when_asked("sesame")
        self.assert_updated(self.service.url)
        self.assertEqual(len(page.seen("Fetch.authRequired")), 1)
        self.assertEqual({each["response"]["status"] for each in page.seen("Network.responseReceived")}, {200})

    def test_a_password_in_the_pages_address_is_enough_for_fetch_and_feed(self):
        page = self.serve(STATUS_TOKEN="sesame")
        self.assert_updated(self.service.url.replace("//", "//anyone:sesame@"))
        self.assertEqual(page.errors(), [])

    def assert_updated(self, url):
        """The page loads, fetches itself again, and receives the feed."""
        self.page.goto(f"{url}/")
        self.page.wait_for_event("Network.webSocketFrameReceived")
        self.page.wait_until(f"{FETCHED} > 0")
        self.page.wait_until("document.querySelector('h1').innerText === 'healthy'")
        self.assertNotIn(LOST, self.page.text())
