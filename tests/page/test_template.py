"""The template: what the service sends before any script runs."""

import re
import time
import unittest
from html import unescape

from app.net.reason import Reason
from tests.page.stage import HOUR, Stage, degraded, healthy, many, prober, record, starting, unhealthy

NOW = int(time.time()) * 1000


def rendered(stage):
    return stage.app.test_client().get("/").text


def text(html):
    """What a reader sees of it: words with one space between them."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def article(html, name):
    return re.search(rf'<article data-key="{name}".*?</article>', html, re.DOTALL)[0]


class CardTest(unittest.TestCase):
    def test_a_card_says_what_is_wrong_since_when_what_it_affects_and_what_to_look_at(self):
        card = text(article(rendered(degraded(NOW)), "search"))
        for words in (
            "Search index disconnected status code not accepted answered 503 optional, since ",
            ", for 3 min 5 s affects Search in the shop; browsing and orders go on means the service answered",
            "look at its log; the detail names the status code runbook wiki.example.com/runbooks/search last success 3 min 10 s",
            "60 checks, 6.1 ms to 18 ms, 37 failed last 24 h now connected 99.8 % of the time since the start",
            "3 changes",
        ):
            self.assertIn(words, card)

    def test_a_runbook_learns_nothing_of_the_page_that_leads_to_it(self):
        self.assertIn(
            '<a href="https://wiki.example.com/runbooks/search" rel="noopener noreferrer">', rendered(degraded(NOW))
        )

    def test_what_stands_in_backquotes_is_code(self):
        html = rendered(degraded(NOW))
        self.assertIn("not in <code>STATUSES</code>", html)
        self.assertNotIn("`", html)

    def test_in_a_large_outage_the_first_cards_are_full_and_the_others_brief(self):
        cards = re.findall(r'<article [^>]*class="down.*?</article>', rendered(many(NOW, 32)), re.DOTALL)
        self.assertEqual(["<svg" in card for card in cards], 4 * [True] + (len(cards) - 4) * [False])
        for card in cards:
            self.assertIn("<dt>look at</dt>", card)

    def test_before_the_first_check_there_is_neither_a_chart_nor_a_change(self):
        html = rendered(starting(NOW))
        self.assertNotIn("<svg", html)
        self.assertIn("data-unknown", html)
        self.assertIn("last success never", text(html))


class LineTest(unittest.TestCase):
    def test_a_dependency_that_is_well_is_a_line_with_state_share_latency_and_chart(self):
        html = rendered(Stage(record("mongodb", NOW, (HOUR, None)), now=NOW))
        line = article(html, "mongodb")
        self.assertRegex(
            text(line), r"^MongoDB connected 100 % [0-9.]+ ms since .*, for 1 h ; 60 checks, .* since the start$"
        )
        self.assertEqual(line.count("<svg"), 1)
        self.assertIn("1 connected", text(html))

    def test_the_first_state_is_not_called_a_change(self):
        for reason in (None, Reason.REFUSED):
            self.assertNotIn("change", text(rendered(Stage(record("mongodb", NOW, (HOUR, reason)), now=NOW))))

    def test_an_optional_dependency_and_one_in_doubt_are_marked(self):
        self.assertIn("search optional connected", text(rendered(unhealthy(NOW))))
        self.assertIn('<p class="note">in doubt: 1 of 3 failed checks in a row</p>', rendered(unhealthy(NOW)))


class OtherPartsTest(unittest.TestCase):
    def test_advice_stands_between_what_is_wrong_and_what_is_well(self):
        html = rendered(unhealthy(NOW))
        self.assertLess(html.index("AI service</h2>"), html.index("Advice</h2>"))
        self.assertLess(html.index("Advice</h2>"), html.index("1 connected</h2>"))
        self.assertIn(
            "PROBE_WAIT_SECONDS is 0.25 raise its timeout above PROBE_WAIT_SECONDS, or lower that", text(html)
        )
        self.assertNotIn("Advice", rendered(healthy(NOW)))

    def test_upstreams_have_their_state_and_reason(self):
        self.assertIn(
            "billing-events reconnecting connection closed without an answer since", text(rendered(unhealthy(NOW)))
        )
        self.assertIn("upstreams none", text(rendered(healthy(NOW))))

    def test_who_asks_is_a_table_of_ten_rows_and_the_number_of_the_others(self):
        html = rendered(unhealthy(NOW))
        who = text(html[html.index('id="probers"') :])
        self.assertRegex(
            who, r"kubelet kube-probe/1.31 10.42.0.6 /health/live 995 in .* every 10 s 5 s ago 200 3 times, after 1 s"
        )
        self.assertIn("and 54 more in the details", who)
        self.assertEqual(html.count("<tr>"), 11)
        self.assertNotIn("Who asks", rendered(healthy(NOW)))

    def test_the_software_is_named_beside_the_service(self):
        self.assertIn("shop 4.2.0, watched by server-health 1.1.0.", text(rendered(degraded(NOW))))

    def test_what_strangers_send_is_never_markup(self):
        stage = healthy(NOW)
        stage.probers = [prober(product="<script>alert(1)</script>")]
        self.assertEqual(rendered(stage).count("<script"), 1)

    def test_whether_the_feed_has_a_place_is_left_for_the_script(self):
        stage = healthy(NOW)
        self.assertIn(" data-seats>", rendered(stage))
        stage.inbound = {"open": 96, "cap": 96, "refused": 0}
        self.assertNotIn("data-seats", rendered(stage))
