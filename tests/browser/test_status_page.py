"""The status page in a real browser. What it looks like is left in build/screenshots."""

import contextlib
import importlib.resources
import time
import unittest
from pathlib import Path

from websockets.sync.client import connect

from app.health.record import Record
from app.net.reason import Reason
from tests.browser.chromium import Chromium
from tests.browser.stage import HOUR, Stage, record
from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.mongo import Nx27017
from tests.peers.service import Service, eventually

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
LOST = "connection lost, reconnecting"
AXE = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# What each place shows that is not a list of others.
SHOWN = """[...document.querySelectorAll("[data-fill]")]
    .filter((place) => !place.querySelector("[data-fill], template"))
    .map((place) => {
        const time = place.querySelector("time");
        return [place.dataset.fill, place.textContent.trim(), place.getAttribute("d"), place.dataset.is,
                place.hidden, time?.dateTime, time?.title];
    })"""
ICON = "document.querySelector('link[rel=icon]').href"
NOW = int(time.time()) * 1000
UPSTREAMS = [
    ("orders", "connected", 0, 3 * HOUR),
    ("billing-events", "reconnecting", 2, 12_000),
    ("x" * 63, "failed", 5, HOUR),
]


def setUpModule():
    global browser
    browser = unittest.enterModuleContext(Chromium())


def well():
    return Stage(
        record("ai_service", NOW, (192 * 60_000, None), latency=42),
        record("mongodb", NOW, (30 * HOUR, None), (9 * HOUR, Reason.NO_PRIMARY), (8 * HOUR, None)),
        now=NOW,
    )


def ill():
    stage = Stage(
        record(
            "ai_service",
            NOW,
            (76 * HOUR, None),
            (HOUR, Reason.HTTP_STATUS),
            (1800_000, None),
            (185_000, Reason.TIMEOUT),
            latency=42,
        ),
        record("mongodb", NOW, *((k * 60_000, Reason.REFUSED if k % 2 else None) for k in range(40, 0, -1))),
        now=NOW,
        service="<script>alert(1)</script>",
        version="1" * 64,
    )
    stage.upstreams, stage.draining = UPSTREAMS, True
    return stage


def unknown():
    return Stage(Record("ai_service", NOW), Record("mongodb", NOW), now=NOW)


def asked(page, count=1):
    fetched = "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/health/details'))"
    page.wait_until(f"{fetched}.length >= {count}")


class AppearanceTest(unittest.TestCase):
    """In each state that the service can be in."""

    def open(self, stage, **options):
        self.enterContext(stage)
        page = self.enterContext(browser.page(**options))
        page.goto(f"{stage.url}/")
        if options.get("scripts", True):
            asked(page)
        return page

    def test_nothing_is_wider_than_the_window_and_everyone_can_read_it(self):
        both = ("light", "dark")
        for name, make, schemes in (
            ("healthy", well, both),
            ("unhealthy", ill, both),
            ("lost", ill, both),
            ("starting", unknown, ["light"]),
        ):
            with make() as stage, browser.page() as page:
                page.goto(f"{stage.url}/")
                asked(page)
                page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
                if name == "lost":
                    page.send(
                        "Network.emulateNetworkConditions",
                        offline=True,
                        latency=0,
                        downloadThroughput=-1,
                        uploadThroughput=-1,
                    )
                    page.evaluate("dispatchEvent(new Event('online'))")
                    page.wait_until("document.body.hasAttribute('data-lost')")
                page.evaluate(AXE)
                for scheme in schemes:
                    page.prefer(scheme)
                    for width in (320, 1280):
                        with self.subTest(name, scheme=scheme, width=width):
                            page.resize(width, 900)
                            page.screenshot(SCREENSHOTS / f"{name}-{scheme}-{width}.png")
                            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)
                    with self.subTest(name, scheme=scheme):
                        violations = page.evaluate("axe.run().then(({violations}) => violations)")
                        self.assertEqual([(each["id"], each["nodes"][0]["html"]) for each in violations], [])

    def test_light_and_dark_are_the_readers_choice(self):
        page = self.open(well())
        ink_and_paper = "((style) => [style.color, style.backgroundColor])(getComputedStyle(document.documentElement))"
        light = page.evaluate(ink_and_paper)
        page.prefer("dark")
        dark = page.evaluate(ink_and_paper)
        brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (*light, *dark)]
        self.assertLess(brightness[0], brightness[1])
        self.assertGreater(brightness[2], brightness[3])

    def test_who_wants_no_motion_gets_none(self):
        page = self.open(well())
        self.assertEqual(page.evaluate("getComputedStyle(document.querySelector('header')).transitionDuration"), "0s")

    def test_the_script_says_word_for_word_what_the_service_wrote(self):
        """From any state to any other: both fill the same places from the same details."""
        stage = self.enterContext(well())
        page = self.enterContext(browser.page())
        page.send("Page.addScriptToEvaluateOnNewDocument", source=f"Date.now = () => {NOW}")
        page.goto(f"{stage.url}/")
        plain = self.enterContext(browser.page(scripts=False))
        for state in (ill(), unknown(), ill(), well()):
            stage.now = NOW + 1000  # so that the script's answer can be told from the one before
            vars(stage).update({name: vars(state)[name] for name in ("records", "identity", "upstreams", "draining")})
            plain.goto(f"{stage.url}/")
            written = plain.evaluate(SHOWN)
            page.evaluate("dispatchEvent(new Event('online'))")
            with contextlib.suppress(AssertionError):  # the difference tells more
                eventually(lambda: page.evaluate(SHOWN) == written, 3)
            self.assertEqual(page.evaluate(SHOWN), written)

    def test_times_are_in_the_readers_zone_and_ages_go_on(self):
        now = 1795464000000  # 20:00 UTC
        page = self.open(Stage(record("mongodb", now, (HOUR, None)), now=now), timezone="Asia/Kolkata")
        since = "document.querySelector('.known time')"
        self.assertEqual(
            page.evaluate(f"[{since}.textContent, {since}.title, {since}.dateTime]"),
            ["00:30:00", "2026-11-24 00:30:00 UTC+05:30", "2026-11-23T19:00:00.000Z"],
        )
        self.assertIn("Times are in Asia/", page.text("footer"))
        page.wait_until(
            "document.querySelector('.known').innerText.endsWith('for 1 h') &&"
            " document.querySelector('[data-fill=checked]').innerText !== '5 s ago'"
        )

    def test_the_keyboard_reaches_what_can_be_opened(self):
        page = self.open(well())
        for key, code in (("Tab", 9), ("Enter", 13)):
            text = {"text": "\r"} if key == "Enter" else {}
            page.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
            page.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.assertEqual(page.evaluate("document.activeElement.localName"), "summary")
        page.wait_until("document.activeElement.parentElement.open")

    def test_without_scripts_it_is_complete_and_loads_itself_again(self):
        page = self.open(ill(), scripts=False)
        self.assertEqual(page.text("h1"), "unhealthy")
        text = page.text()
        for words in (
            "<script>alert(1)</script>",
            "AI service is disconnected: no answer within 5 s.",
            "for 3 min 5 s",
            "connection refused",
            "draining",
            "billing-events",
            "2 failed attempts",
            "Times are in UTC",
        ):
            self.assertIn(words, text)
        self.assertNotIn(LOST, text)
        self.assertEqual(page.evaluate("document.querySelector('meta[http-equiv=refresh]').content"), "10")
        page.screenshot(SCREENSHOTS / "unhealthy-no-scripts.png")


class LiveTest(unittest.TestCase):
    """Against the running service."""

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

    def assert_tells_of_ai_service(self, words, verdict, seconds):
        """The page comes to say it, by itself, no later than that after the service knows."""
        self.page.wait_until(
            f"document.querySelector('h1').innerText === '{verdict}'"
            f" && document.querySelector('.summary').innerText === '{words}'"
        )
        seen = time.time() * 1000
        known = self.service.json("/health/details")["checks"]["ai_service"]["changes"][-1]["at"]
        self.assertLess(seen - known, seconds * 1000)
        self.assertIn(verdict, self.page.evaluate("document.title"))
        self.assertTrue(self.page.evaluate(ICON).endswith(f"/{verdict}.svg"))
        self.assertTrue(self.page.evaluate("window.loadedOnce"))

    def assert_no_console_error(self):
        """But that the browser notes down every 503, which is how the details say unhealthy."""
        self.assertEqual([each for each in self.page.errors() if "status of 503" not in each.get("text", "")], [])

    def test_healthy(self):
        page = self.open()
        page.wait_until("document.querySelector('h1').innerText === 'healthy'")
        text = page.text()
        for words in ("Every dependency is connected.", "MongoDB", "AI service", "version 1.0.0", "of 96 places taken"):
            self.assertIn(words, text)
        self.assertRegex(text, r"latency\n[0-9.]+ ms\n")
        self.assertEqual(page.evaluate("document.querySelectorAll('h1').length"), 1)
        self.assertEqual(page.evaluate("document.title"), "healthy · server")
        page.wait_for_event("Network.webSocketFrameReceived")
        self.assertEqual({url.split("://")[1].split("/")[0] for url in page.requested()}, {self.service.url[7:]})
        self.assertEqual(page.errors(), [])

    def test_a_fault_and_its_end_are_shown_as_soon_as_they_are_known(self):
        page = self.open()
        page.wait_for_event("Network.webSocketFrameReceived")
        self.ai.refuse()
        self.assert_tells_of_ai_service("AI service is disconnected: connection refused.", "unhealthy", 2)
        self.ai.resume()
        self.assert_tells_of_ai_service("Every dependency is connected.", "healthy", 2)
        self.ai.mode = Mode.MUTE
        self.assert_tells_of_ai_service("AI service is disconnected: no answer within 1.5 s.", "unhealthy", 2)
        self.assert_no_console_error()

    def test_where_websockets_do_not_pass_it_asks_every_five_seconds(self):
        page = self.serve(WS_MAX_CONNECTIONS="1")
        with connect(f"{self.service.url.replace('http', 'ws')}/ws", proxy=None):
            page.goto(f"{self.service.url}/")
            page.evaluate("window.loadedOnce = true")
            page.wait_until("document.querySelector('h1').innerText === 'healthy'")
            self.ai.mode = Mode.STATUS_503
            self.assert_tells_of_ai_service("AI service is disconnected: answer is not 200 OK.", "unhealthy", 6)
        self.assertEqual(page.told("Network.webSocketFrameReceived"), [])

    def test_a_service_that_is_gone_is_told_of_and_found_again(self):
        page = self.open()
        page.wait_for_event("Network.webSocketFrameReceived")
        self.service.close()
        page.wait_until(f"document.body.innerText.includes('{LOST}')")
        self.assertRegex(page.text(".lost"), rf"^{LOST}\nwhat was known \d+ s ago:$")
        page.wait_until("parseInt(document.querySelector('.lost time').innerText) >= 2")  # and its age grows
        self.assertEqual(page.evaluate("document.title"), "connection lost · server")
        self.assertTrue(page.evaluate(ICON).endswith("/lost.svg"))
        self.enterContext(Service(PORT=str(self.service.port)))
        page.wait_until(f"!document.body.innerText.includes('{LOST}')")
        page.wait_until("document.querySelector('h1').innerText === 'unhealthy'")
        self.assertTrue(page.evaluate("window.loadedOnce"))
        frames = len(page.told("Network.webSocketFrameReceived"))
        page.wait_for_event("Network.webSocketFrameReceived", frames + 1)  # the feed is back too

    def test_one_password_dialog_then_page_and_feed_both_work(self):
        page = self.serve(STATUS_TOKEN="sesame")
        page.enter_when_asked("sesame")
        page.goto(f"{self.service.url}/")
        page.wait_until("document.querySelector('h1').innerText === 'healthy'")
        page.wait_for_event("Network.webSocketFrameReceived")
        asked(page)
        self.assertEqual(len(page.told("Fetch.authRequired")), 1)
        self.assertEqual({each["response"]["status"] for each in page.told("Network.responseReceived")}, {200})

    def test_a_password_in_the_pages_address_will_do(self):
        page = self.serve(STATUS_TOKEN="sesame")
        page.goto(f"{self.service.url.replace('//', '//anyone:sesame@')}/")
        page.wait_for_event("Network.webSocketFrameReceived")
        asked(page)
        page.wait_until(f"!document.body.innerText.includes('{LOST}')")
        self.assertEqual(page.errors(), [])
