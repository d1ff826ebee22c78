"""The status page in a real browser, in each of its states. Screenshots are kept in build/screenshots."""

import importlib.resources
import time
import unittest
from pathlib import Path

from tests.page.chromium import Chromium
from tests.page.stage import degraded, healthy, many, starting, unhealthy

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXE = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
NOW = int(time.time()) * 1000


def setUpModule():
    global browser
    browser = unittest.enterModuleContext(Chromium())


class AppearanceTest(unittest.TestCase):
    def open(self, stage, **options):
        self.enterContext(stage)
        page = self.enterContext(browser.page(**options))
        page.goto(f"{stage.url}/")
        return page

    def test_every_state_fits_the_window_and_is_accessible(self):
        for name, make in (
            ("healthy", healthy),
            ("degraded", degraded),
            ("unhealthy", unhealthy),
            ("lost", unhealthy),
            ("starting", starting),
        ):
            with make(NOW) as stage, browser.page() as page:
                stage.inbound["open"] = stage.inbound["cap"]  # there is no feed on this stage
                page.goto(f"{stage.url}/")
                page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
                self.assertEqual(page.errors(), [])
                if name == "lost":
                    page.go_offline()
                    page.evaluate("dispatchEvent(new Event('online'))")
                    page.wait_until("document.body.hasAttribute('data-lost')")
                page.evaluate(AXE)
                for scheme in ("light", "dark"):
                    page.prefer(scheme)
                    for width in (320, 1280):
                        with self.subTest(name, scheme=scheme, width=width):
                            page.resize(width, 900)
                            page.screenshot(SCREENSHOTS / f"{name}-{scheme}-{width}.png")
                            self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)
                    with self.subTest(name, scheme=scheme):
                        violations = page.evaluate("axe.run().then(({violations}) => violations)")
                        self.assertEqual([(each["id"], each["nodes"][0]["html"]) for each in violations], [])

    def test_32_dependencies_that_are_well_fit_in_two_screens(self):
        page = self.open(many(NOW, 0), width=1280, height=800)
        bottoms = page.evaluate(
            "[...document.querySelectorAll('article')].map((e) => e.getBoundingClientRect().bottom)"
        )
        self.assertEqual(len(bottoms), 32)
        self.assertLess(max(bottoms), 2 * 800)

    def test_32_dependencies_fit_the_width_of_a_telephone(self):
        page = self.open(many(NOW), width=320)
        page.screenshot(SCREENSHOTS / "many-light-320.png")
        self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 320)

    def test_on_paper_and_in_forced_colours_the_verdict_can_be_read(self):
        page = self.open(unhealthy(NOW))
        colours = (
            "((style) => [style.color, style.backgroundColor])(getComputedStyle(document.querySelector('.verdict')))"
        )
        page.send("Emulation.setEmulatedMedia", media="print")
        self.assertEqual(page.evaluate(colours), ["rgb(0, 0, 0)", "rgb(255, 255, 255)"])
        page.send("Emulation.setEmulatedMedia", media="", features=[{"name": "forced-colors", "value": "active"}])
        ink = page.evaluate("getComputedStyle(document.querySelector('path.failed')).stroke")
        self.assertEqual(ink, page.evaluate("getComputedStyle(document.querySelector('h1')).color"))

    def test_the_page_is_light_or_dark_as_the_reader_prefers(self):
        page = self.open(healthy(NOW))
        ink_and_paper = "((style) => [style.color, style.backgroundColor])(getComputedStyle(document.documentElement))"
        light = page.evaluate(ink_and_paper)
        page.prefer("dark")
        dark = page.evaluate(ink_and_paper)
        brightness = [sum(map(int, colour[4:-1].split(","))) for colour in (*light, *dark)]
        self.assertLess(brightness[0], brightness[1])
        self.assertGreater(brightness[2], brightness[3])

    def test_nothing_moves_for_a_reader_who_prefers_reduced_motion(self):
        page = self.open(healthy(NOW))
        self.assertEqual(page.evaluate("getComputedStyle(document.querySelector('header')).transitionDuration"), "0s")

    def test_the_keyboard_reaches_what_can_be_opened(self):
        page = self.open(healthy(NOW))
        for key, code in (("Tab", 9), ("Enter", 13)):
            text = {"text": "\r"} if key == "Enter" else {}
            page.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
            page.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.assertEqual(page.evaluate("document.activeElement.localName"), "summary")
        page.wait_until("document.activeElement.parentElement.open")

    def test_without_scripts_the_page_is_complete_and_reloads(self):
        page = self.open(unhealthy(NOW), scripts=False)
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
            "times are in UTC",
            "This page reloads every 10 s.",
        ):
            self.assertIn(words, text)
        self.assertNotIn("connection lost", text)
        self.assertEqual(page.evaluate("document.querySelector('meta[http-equiv=refresh]').content"), "10")
        page.screenshot(SCREENSHOTS / "unhealthy-no-scripts.png")
