"""How the script keeps the page current, in a real browser over a state that the test sets."""

import time
import unittest

from app.net.reason import Reason
from tests.page.chromium import Chromium
from tests.page.stage import HOUR, Stage, degraded, healthy, many, record, starting, unhealthy
from tests.peers.service import eventually

NOW = int(time.time()) * 1000
SECOND = 1000
LOST = "document.body.hasAttribute('data-lost')"
# The feed sends and ends when the test asks it to. What the script waits for is kept in `waits`, and does not come about
# until the test lets it: `last` is the latest wait for a function.
SCRIPTED = """
    window.sockets = [];
    window.WebSocket = class extends EventTarget {
        constructor() { super(); sockets.push(this); }
        fire(name) { this[`on${name}`]?.(); this.dispatchEvent(new Event(name)); }
    };
    window.waits = [];
    window.last = (name) => waits.findLast((each) => each.name === name);
    const [begin, end] = [setTimeout, clearTimeout];
    window.setTimeout = (call, ms, ...rest) => {
        if (ms < 500) return begin(call, ms, ...rest);
        waits.push({name: call.name, ms, pending: true, end: () => call(...rest)});
        return waits.at(-1);
    };
    window.clearTimeout = (timer) => { timer?.end ? timer.pending = false : end(timer); };
    AbortSignal.timeout = (ms) => {
        window.patience = Object.assign(new AbortController(), {ms});
        return patience.signal;
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
        for script in (SCRIPTED, *scripts):
            self.page.inject(script)
        self.page.goto(f"{stage.url}/")
        self.page.wait_until("last('refresh')")  # its first fetch has ended
        return self.page

    def update(self, after=SECOND):
        """Let the page show the stage's state, `after` milliseconds later than the last."""
        self.stage.now += after
        self.page.evaluate("sockets[0].fire('message')")
        self.page.wait_until(f"Date.parse(document.getElementById('as-of').dateTime) === {self.stage.now}")


class MorphTest(UpdatesTest):
    def test_an_updated_page_is_the_page_that_a_reload_would_show(self):
        page = self.open(healthy(NOW), STILL)
        fresh = self.enterContext(browser.page())
        for script in (SCRIPTED, STILL):
            fresh.inject(script)
        for state in (unhealthy(NOW), starting(NOW), many(NOW), degraded(NOW), unhealthy(NOW), healthy(NOW)):
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
        """)
        self.assertGreater(page.evaluate("scrollY"), 0)
        place = page.evaluate("opened.children[0].getBoundingClientRect().top")
        for state in (unhealthy(NOW), healthy(NOW)):
            self.stage.become(state)
            self.update()
            self.assertEqual(
                page.evaluate("[opened.isConnected, opened.open, document.activeElement === opened.children[0]]"),
                [True, True, True],
            )
            self.assertAlmostEqual(page.evaluate("opened.children[0].getBoundingClientRect().top"), place, delta=1)
        page.evaluate("opened.open = false")
        self.update()
        self.assertEqual(page.evaluate("document.querySelectorAll('details[open]').length"), 0)

    def test_what_is_read_without_focus_stays_in_place_when_something_above_it_grows(self):
        page = self.open(many(NOW, 0), height=500)
        page.evaluate("scrollTo(0, document.querySelector('[data-key=service_30]').offsetTop - 250)")
        place = page.evaluate("document.querySelector('[data-key=service_30]').getBoundingClientRect().top")
        self.stage.become(many(NOW, 4))
        self.update()
        self.assertEqual(page.evaluate("document.querySelectorAll('.down[data-key]').length"), 4)
        now = page.evaluate("document.querySelector('[data-key=service_30]').getBoundingClientRect().top")
        self.assertAlmostEqual(now, place, delta=1)

    def test_a_reader_at_the_top_stays_there(self):
        page = self.open(many(NOW, 0))
        self.stage.become(many(NOW, 4))
        self.update()
        self.assertEqual(page.evaluate("scrollY"), 0)

    def test_a_dependency_that_moves_takes_its_details_and_focus_along(self):
        changed = [(HOUR, None), (1800_000, Reason.DNS), (900_000, None)]
        stage = Stage(record("ai_service", NOW, *changed), record("mongodb", NOW, *changed), now=NOW)
        page = self.open(stage)
        page.evaluate("""
            window.opened = document.querySelector("article:last-child details");
            opened.open = true;
            opened.querySelector("summary").focus();
        """)
        stage.records = (stage.records[0], record("mongodb", NOW, *changed, (9 * SECOND, Reason.REFUSED)))
        self.update()
        self.assertEqual(page.text("article h2"), "MongoDB")
        self.assertTrue(page.evaluate("opened === document.querySelector('article details') && opened.open"))
        self.assertTrue(page.evaluate("document.activeElement === opened.firstElementChild"))
        self.assertEqual(page.evaluate("document.querySelectorAll('article, details[open]').length"), 3)

    def test_an_update_keeps_what_is_selected(self):
        page = self.open(Stage(record("mongodb", NOW, (HOUR, None)), now=NOW))
        select = "getSelection().setBaseAndExtent(document.querySelector('h1'), 0, document.querySelector('.known'), 1)"
        page.evaluate(select)
        before = page.evaluate("getSelection().toString()")
        self.assertEqual(before.split()[0], "healthy")
        self.update()
        self.assertEqual(page.evaluate("getSelection().toString()"), before)

    def test_an_update_touches_only_what_has_changed(self):
        """A screen reader reads a live region again when it is touched, and a selection in it is lost."""
        mongodb = record("mongodb", NOW, (HOUR, None))
        stage = Stage(record("ai_service", NOW, (HOUR, Reason.TIMEOUT)), mongodb, now=NOW)
        page = self.open(stage, STILL)
        page.evaluate(OBSERVE)
        self.update(after=1)
        self.assertEqual(page.evaluate("touched.splice(0)"), ["attributes time datetime"])  # the time of the answer
        stage.records = (record("ai_service", NOW, (HOUR, Reason.REFUSED)), mongodb)
        self.update(after=1)
        touched = page.evaluate("touched")
        self.assertEqual(touched.count("characterData p.summary"), 1)
        self.assertFalse({"characterData h1", "characterData h2", "childList div"} & set(touched))


class TimesTest(UpdatesTest):
    def test_times_are_in_the_readers_zone_and_exact_in_utc_on_hover(self):
        now = 1795464000000  # 2026-11-23 20:00 UTC, whatever the browser's own clock shows
        stage = Stage(record("mongodb", now, (HOUR, None)), now=now)
        page = self.open(stage, timezone="Asia/Kolkata")
        since = "document.querySelector('.known time')"
        self.assertEqual(page.evaluate(f"{since}.textContent"), "00:30:00, for 1 h")
        self.assertEqual(page.evaluate(f"{since}.title"), "2026-11-23 19:00:00 UTC")
        self.assertRegex(page.text("footer"), r"As of 01:30:00, times are in Asia/(Kolkata|Calcutta)\.")

    def test_ages_grow_by_the_services_clock(self):
        """The clock of a reader's machine may be wrong."""
        now = 1795464000000
        page = self.open(Stage(record("mongodb", now, (9 * SECOND, None)), now=now))
        page.wait_until("/, for 1[1-9] s$/.test(document.querySelector('.known').innerText)")
        page.wait_until("/for 3 d 4 h$/.test(document.querySelector('header').innerText)")


class FetchTest(UpdatesTest):
    def test_messages_during_a_fetch_lead_to_one_more_fetch(self):
        page = self.open(healthy(NOW))
        before = self.stage.asked
        self.stage.answering.clear()
        page.evaluate("sockets[0].fire('message')")
        eventually(lambda: self.stage.asked == before + 1)
        for _ in range(5):
            page.evaluate("sockets[0].fire('message')")
        self.stage.answering.set()
        page.wait_until("waits.length === 2")
        self.assertEqual(self.stage.asked, before + 2)
        self.assertEqual(page.evaluate("waits.map(({pending}) => pending)"), [False, True])

    def test_the_page_is_fetched_when_the_feed_ends_the_tab_is_shown_or_the_network_returns(self):
        page = self.open(healthy(NOW))
        for event in (
            "sockets[0].fire('close')",
            "document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))",
            "dispatchEvent(new Event('online'))",
        ):
            before = self.stage.asked
            page.evaluate(event)
            eventually(lambda: self.stage.asked > before)

    def test_the_page_is_fetched_more_often_when_it_is_seen_and_most_often_when_it_is_lost(self):
        page = self.open(healthy(NOW))
        self.assertEqual(page.evaluate("last('refresh').ms"), 5000)
        page.evaluate("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})")
        page.evaluate("last('refresh').end()")
        page.wait_until("last('refresh').ms === 30000")
        page.go_offline()
        page.evaluate("last('refresh').end()")
        page.wait_until("last('refresh').ms === 2000")

    def test_the_feed_is_not_opened_while_it_has_no_place_because_a_refusal_is_an_error_in_the_console(self):
        stage = healthy(NOW)
        stage.inbound = {"open": 96, "cap": 96, "refused": 0}
        page = self.open(stage)
        self.assertEqual(page.evaluate("sockets.length"), 0)
        stage.inbound = {"open": 95, "cap": 96, "refused": 0}
        page.evaluate("last('refresh').end()")
        page.wait_until("'seats' in document.body.dataset")
        page.evaluate("last('follow').end()")
        self.assertEqual(page.evaluate("sockets.length"), 1)

    def test_the_feed_is_reopened_after_growing_waits_until_it_sends_again(self):
        page = self.open(healthy(NOW))
        for number, expected in enumerate([500, 1000, 2000, 4000, 8000, 10_000, 10_000, 500, 1000]):
            if number == 7:
                page.evaluate("sockets[7].fire('message')")
            page.evaluate(f"sockets[{number}].fire('close')")
            wait = page.evaluate("last('follow').ms")
            self.assertTrue(expected <= wait <= 1.2 * expected, (number, wait))
            page.evaluate("last('follow').end()")


class LostTest(UpdatesTest):
    def test_a_fetch_is_given_up_after_six_seconds(self):
        page = self.open(healthy(NOW))
        self.stage.answering.clear()
        page.evaluate("sockets[0].fire('message')")
        self.assertEqual(page.evaluate("patience.ms"), 6000)
        page.evaluate("patience.abort()")
        page.wait_until(LOST)
        self.stage.answering.set()
        page.evaluate("last('refresh').end()")
        page.wait_until(f"!{LOST}")

    def test_an_answer_that_is_not_the_page_is_not_shown(self):
        """A proxy may answer with a page of its own while the service behind it is down."""
        stage, instead = healthy(NOW), []
        stage.app.before_request(lambda: instead[0] if instead else None)
        page = self.open(stage)
        for answer in ("<h1>Welcome to nginx!</h1>", ("<time id='as-of'>", 502)):
            instead[:] = [answer]
            page.evaluate("last('refresh').end()")
            page.wait_until(LOST)
            self.assertEqual(page.text("h1"), "healthy")
            instead.clear()
            page.evaluate("last('refresh').end()")
            page.wait_until(f"!{LOST}")

    def test_a_lost_connection_is_announced_once_and_no_state_is_said_to_last(self):
        page = self.open(Stage(record("mongodb", NOW, (9 * SECOND, None)), now=NOW))
        page.evaluate(OBSERVE)
        page.go_offline()
        for fetches in (2, 3, 4):
            page.evaluate("last('refresh').end()")
            page.wait_until(f"waits.length === {fetches}")
        held = page.text(".known")
        page.wait_until("parseInt(document.querySelector('.last-known time').innerText) >= 2")
        self.assertEqual(page.text(".known"), held)
        self.assertEqual(page.evaluate("touched.filter((each) => each === 'childList b')"), ["childList b"])
