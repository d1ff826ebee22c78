"""How the script keeps the page current, in a real browser over a state that the test sets."""

import time
import unittest

from app.net.reason import Reason
from tests.page.chromium import ANSWER_SECONDS, Chromium
from tests.page.stage import HOUR, Stage, healthy, record, starting, unhealthy
from tests.peers.service import eventually

NOW = int(time.time()) * 1000
SECOND = 1000
# A feed that sends and ends when the test asks it to.
FEED = """
    window.sockets = [];
    window.WebSocket = class extends EventTarget {
        constructor() { super(); sockets.push(this); }
        fire(name) { this[`on${name}`]?.(); this.dispatchEvent(new Event(name)); }
    };
"""
# Keeps what the script waits for, in milliseconds, and makes it fifty times shorter.
WAITS = """
    window.waits = [];
    const wait = setTimeout;
    window.setTimeout = (call, ms, ...rest) => {
        waits.push([call.name, ms]);
        return wait(call, ms / 50, ...rest);
    };
"""
IMPATIENT = """
    const timeout = AbortSignal.timeout;
    AbortSignal.timeout = (ms) => {
        window.patience = ms;
        return timeout.call(AbortSignal, ms / 10);
    };
"""
# Keeps the polls that are due, and lets none come about.
NO_POLLS = """
    window.polls = [];
    const [begin, end] = [setTimeout, clearTimeout];
    window.setTimeout = (call, ms, ...rest) => {
        if (ms < 5000) return begin(call, ms, ...rest);
        polls.push({pending: true});
        return polls.at(-1);
    };
    window.clearTimeout = (timer) => {
        if (timer?.pending) timer.pending = false;
        else end(timer);
    };
"""
STILL = f"Date.now = () => {NOW};"
OBSERVE = """
    window.touched = [];
    new MutationObserver((records) => records.forEach(({type, target, attributeName}) => {
        const element = target.closest?.("*") ?? target.parentElement;
        const name = [element.localName, element.getAttribute("class")].filter(Boolean).join(".");
        touched.push([type, name, attributeName].filter(Boolean).join(" "));
    })).observe(document, {subtree: true, attributes: true, characterData: true, childList: true});
"""


def setUpModule():
    global browser
    browser = unittest.enterModuleContext(Chromium())


class UpdatesTest(unittest.TestCase):
    """Not a test itself."""

    def open(self, stage, *scripts, **options):
        self.stage = self.enterContext(stage)
        self.page = self.enterContext(browser.page(**options))
        for script in (FEED, *scripts):
            self.page.inject(script)
        self.page.goto(f"{stage.url}/")
        eventually(lambda: stage.asked >= 2, ANSWER_SECONDS)  # the page, and its first fetch
        return self.page

    def update(self, after=SECOND):
        """Let the page show the stage's state, `after` milliseconds later than the last."""
        self.stage.now += after
        self.page.evaluate("sockets.at(-1).fire('message')")
        self.page.wait_until(f"Date.parse(document.getElementById('as-of').dateTime) === {self.stage.now}")


class MorphTest(UpdatesTest):
    def test_an_updated_page_is_the_page_that_a_reload_would_show(self):
        page = self.open(healthy(NOW), STILL)
        fresh = self.enterContext(browser.page(scripts=False))
        for state in (unhealthy(NOW), starting(NOW), unhealthy(NOW), healthy(NOW)):
            self.stage.become(state)
            self.update()
            fresh.goto(f"{self.stage.url}/")
            for part in ("document.title", "document.body.dataset.state", "document.querySelector('main').outerHTML"):
                self.assertEqual(page.evaluate(part), fresh.evaluate(part))

    def test_an_update_keeps_opened_details_keyboard_focus_and_the_place_in_the_window(self):
        page = self.open(healthy(NOW), height=500)
        page.evaluate("""
            window.opened = document.querySelectorAll("details")[1];
            opened.open = true;
            opened.querySelector("summary").focus();
            opened.scrollIntoView();
            window.top_ = opened.getBoundingClientRect().top;
        """)
        self.assertGreater(page.evaluate("scrollY"), 0)
        for state in (unhealthy(NOW), healthy(NOW)):
            self.stage.become(state)
            self.update()
            self.assertEqual(
                page.evaluate("[opened.isConnected, opened.open, document.activeElement === opened.firstElementChild]"),
                [True, True, True],
            )
            page.wait_until("Math.abs(opened.getBoundingClientRect().top - top_) < 1")
        page.evaluate("opened.open = false")
        self.update()
        self.assertEqual(page.evaluate("document.querySelectorAll('details[open]').length"), 0)

    def test_a_dependency_that_moves_takes_its_details_and_focus_along(self):
        page = self.open(healthy(NOW))
        page.evaluate("""
            window.opened = document.querySelector("article:last-child details");
            opened.open = true;
            opened.querySelector("summary").focus();
        """)
        self.stage.records = self.stage.records[::-1]
        self.update()
        self.assertEqual(page.text("h2"), "MongoDB")
        self.assertTrue(page.evaluate("opened === document.querySelector('article details') && opened.open"))
        self.assertTrue(page.evaluate("document.activeElement === opened.firstElementChild"))
        self.assertEqual(page.evaluate("document.querySelectorAll('article, details[open]').length"), 3)

    def test_an_update_touches_only_what_has_changed(self):
        """A screen reader reads a live region again when it is touched, and a selection in it is lost."""
        mongodb = record("mongodb", NOW, (HOUR, None))
        stage = Stage(record("ai_service", NOW, (HOUR, Reason.TIMEOUT)), mongodb, now=NOW)
        page = self.open(stage, STILL)
        page.evaluate(OBSERVE)
        self.update(after=1)
        self.assertEqual(page.evaluate("touched.splice(0)"), 2 * ["attributes time datetime"])  # the time of the answer
        stage.records = (record("ai_service", NOW, (HOUR, Reason.REFUSED)), mongodb)
        self.update(after=1)
        touched = page.evaluate("touched")
        self.assertEqual(touched.count("characterData p.summary"), 1)
        self.assertFalse({"characterData h1", "characterData h2", "childList div"} & set(touched))


class TimesTest(UpdatesTest):
    def test_times_are_in_the_readers_zone_and_ages_grow_by_the_services_clock(self):
        now = 1795464000000  # 2026-11-23 20:00 UTC, whatever the browser's own clock shows
        stage = Stage(record("mongodb", now, (HOUR, None)), now=now)
        page = self.open(stage, timezone="Asia/Kolkata")
        since = "document.querySelector('.known time')"
        self.assertEqual(page.evaluate(f"{since}.textContent"), "00:30:00")
        self.assertEqual(page.evaluate(f"{since}.title"), "2026-11-23 19:00:00 UTC")
        self.assertRegex(page.text("footer"), r"^As of 01:30:00\. Times are in Asia/(Kolkata|Calcutta)\.")
        self.assertRegex(page.text(".known"), r" for 1 h$")
        last_check = "document.querySelector('.brief:last-child dd')"
        page.wait_until(f"parseInt({last_check}.innerText) >= 7")
        self.assertEqual(page.text(".brief:last-child dd")[-6:], " s ago")

    def test_a_time_of_another_day_has_its_date_in_the_readers_zone(self):
        now = 1795464000000
        page = self.open(Stage(record("mongodb", now, (3 * HOUR, None)), now=now), timezone="Asia/Kolkata")
        self.assertEqual(page.evaluate("document.querySelector('.known time').textContent"), "2026-11-23 22:30:00")


class FetchTest(UpdatesTest):
    def test_messages_during_a_fetch_lead_to_one_more_fetch(self):
        stage = healthy(NOW)
        page = self.open(stage, NO_POLLS)
        page.wait_until("polls.length === 1")
        before = stage.asked
        stage.answering.clear()
        page.evaluate("sockets[0].fire('message')")
        eventually(lambda: stage.asked == before + 1)
        for _ in range(5):
            page.evaluate("sockets[0].fire('message')")
        stage.answering.set()
        page.wait_until("polls.length === 2")
        self.assertEqual(stage.asked, before + 2)
        self.assertEqual(page.evaluate("polls.filter(({pending}) => pending).length"), 1)

    def test_the_page_is_fetched_when_the_feed_ends_the_tab_is_shown_or_the_network_returns(self):
        stage = healthy(NOW)
        page = self.open(stage, NO_POLLS)
        for event in (
            "sockets[0].fire('close')",
            "document.dispatchEvent(new Event('visibilitychange'))",
            "dispatchEvent(new Event('online'))",
        ):
            before = stage.asked
            page.evaluate(event)
            eventually(lambda: stage.asked > before)

    def test_a_page_that_is_seen_is_fetched_more_often_and_a_lost_one_most_often(self):
        page = self.open(healthy(NOW), WAITS)
        last = "waits.filter(([name]) => name === 'refresh').at(-1)?.[1]"
        page.wait_until(f"{last} === 5000")
        page.evaluate("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})")
        page.wait_until(f"{last} === 30000")
        page.go_offline()
        page.evaluate("sockets[0].fire('message')")
        page.wait_until(f"{last} === 2000")

    def test_the_feed_is_reopened_after_growing_waits_until_it_sends_again(self):
        page = self.open(healthy(NOW), WAITS)
        for number, wait in enumerate([500, 1000, 2000, 4000, 8000, 10_000, 10_000, 500, 1000]):
            page.wait_until(f"sockets.length > {number}")
            if number == 7:
                page.evaluate("sockets[7].fire('message')")
            page.evaluate(f"sockets[{number}].fire('close')")
            waited = page.evaluate("waits.filter(([name]) => name === 'follow').at(-1)[1]")
            self.assertTrue(wait <= waited <= 1.2 * wait, (number, waited))


class LostTest(UpdatesTest):
    LOST = "document.body.hasAttribute('data-lost')"

    def test_an_answer_that_takes_over_six_seconds_counts_as_none(self):
        page = self.open(healthy(NOW), WAITS, IMPATIENT)
        self.stage.answering.clear()
        page.wait_until(self.LOST)
        self.assertEqual(page.evaluate("patience"), 6000)
        self.stage.answering.set()
        page.wait_until(f"!{self.LOST}")

    def test_an_answer_that_is_not_the_page_is_not_shown(self):
        """A proxy may answer with a page of its own while the service behind it is down."""
        stage, instead = healthy(NOW), []
        stage.app.before_request(lambda: instead[0] if instead else None)
        page = self.open(stage, WAITS)
        for answer in ("<h1>Welcome to nginx!</h1>", ("<time id='as-of'>", 502)):
            instead[:] = [answer]
            page.wait_until(self.LOST)
            self.assertEqual(page.text("h1"), "healthy")
            instead.clear()
            page.wait_until(f"!{self.LOST}")

    def test_a_lost_connection_is_announced_once_and_no_state_is_said_to_last(self):
        page = self.open(Stage(record("mongodb", NOW, (9 * SECOND, None)), now=NOW), WAITS)
        page.evaluate(OBSERVE)
        page.go_offline()
        page.wait_until(self.LOST)
        held = page.text(".known")
        page.wait_until("parseInt(document.querySelector('.last-known time').innerText) >= 2")
        page.wait_until("waits.filter(([name, ms]) => name === 'refresh' && ms === 2000).length >= 3")
        self.assertEqual(page.text(".known"), held)
        self.assertEqual(page.evaluate("touched.filter((each) => each === 'childList b')"), ["childList b"])
