"""`/` and its files over HTTP; what it looks like and does is in tests.browser."""

import re
import unittest
from html.parser import HTMLParser

from app.factory import create_app
from app.net.reason import Reason
from app.settings import Settings
from app.web.page_routes import STATIC
from tests.browser.stage import Stage, record

NOW = 1795435200000
FILES = sorted(path.name for path in STATIC.iterdir())
WORST = [(60_000 * n, Reason.TIMEOUT if n % 2 else Reason.NO_PRIMARY) for n in range(50, 0, -1)]


class Elements(HTMLParser):
    """Every start tag of a page, and the text of each script."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


def stage(*periods, **identity):
    periods = periods or [(9000, None)]
    return Stage(record("ai_service", NOW, *periods), record("mongodb", NOW, *periods), now=NOW, **identity)


class PageTest(unittest.TestCase):
    def test_it_is_html_that_nobody_stores_and_200_also_when_unhealthy(self):
        for reason in (None, Reason.REFUSED):
            response = stage((9000, reason)).app.test_client().get("/")
            self.assertEqual(response.status_code, 200)
            self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertEqual(response.headers["Cache-Control"], "no-store")

    def test_head_is_answered_and_nothing_else_is(self):
        client = create_app(Settings.load({})).test_client()
        for path in ("/", "/static/page.css"):
            response = client.head(path)
            self.assertEqual((response.status_code, response.data), (200, b""))
            for method in ("POST", "OPTIONS", "DELETE"):
                with self.subTest(path, method=method):
                    self.assertEqual(client.open(path, method=method).status_code, 405)

    def test_the_headline_says_the_verdict(self):
        for reason, verdict in ((None, "healthy"), (Reason.REFUSED, "unhealthy")):
            html = stage((9000, reason)).app.test_client().get("/").text
            self.assertEqual(re.findall(r"<h1[^>]*>(.*?)</h1>", html), [verdict])

    def test_what_is_configured_is_text_and_never_markup(self):
        nasty = "<script>alert(1)</script>\"'&</script><!--"
        html = stage(service=nasty, version=nasty).app.test_client().get("/").text
        page = Elements(html)
        self.assertEqual(html.count("alert(1)"), 3)  # title, name, version
        self.assertEqual(
            [attrs for tag, attrs in page.tags if tag == "script"],
            [{"type": "module", "src": "static/page.js"}, {"type": "application/json", "id": "words"}],
        )
        self.assertFalse([script for script in page.scripts if "alert" in script])

    def test_nothing_in_it_needs_what_the_policy_forbids(self):
        """No inline style or handler, no script that runs, no address of another host."""
        page = Elements(stage().app.test_client().get("/").text)
        for tag, attrs in page.tags:
            self.assertNotEqual(tag, "style")
            for name, value in attrs.items():
                self.assertFalse(name == "style" or name.startswith("on"), (tag, name))
                if name in ("src", "href"):
                    self.assertRegex(value, r"^[a-z]+(/[a-z.]+)?$")

    def test_without_the_token_it_is_refused(self):
        client = create_app(Settings.load({"STATUS_TOKEN": "sesame"})).test_client()
        for path in ("/", *(f"/static/{name}" for name in FILES)):
            self.assertEqual(client.get(path).status_code, 401)
            self.assertEqual(client.get(path, auth=("me", "sesame")).status_code, 200)


class FilesTest(unittest.TestCase):
    def setUp(self):
        self.client = stage().app.test_client()

    def test_each_has_its_type(self):
        types = {
            "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8",
            "svg": "image/svg+xml; charset=utf-8",
        }
        for name in FILES:
            with self.subTest(name):
                response = self.client.get(f"/static/{name}")
                self.assertEqual(response.data, (STATIC / name).read_bytes())
                self.assertEqual(response.headers["Content-Type"], types[name.rpartition(".")[2]])

    def test_a_copy_is_kept_and_asked_for_again(self):
        first = self.client.get("/static/page.js")
        self.assertEqual(first.headers["Cache-Control"], "private, no-cache")
        again = self.client.get("/static/page.js", headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual((again.status_code, again.data), (304, b""))
        other = self.client.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]})
        self.assertEqual(other.status_code, 200)

    def test_nothing_else_can_be_had(self):
        for name in ("", "page.py", "../page.py", "..%2fpage.py", "%2fetc%2fpasswd", "templates", "PAGE.CSS"):
            with self.subTest(name):
                self.assertEqual(self.client.get(f"/static/{name}").status_code, 404)

    def test_page_and_files_together_are_under_40_kb_at_their_largest(self):
        busy = stage(*WORST)
        busy.upstreams = [(f"upstream-{n}", "reconnecting", 4, 60_000) for n in range(8)]
        page = busy.app.test_client().get("/").data
        self.assertLess(len(page) + sum((STATIC / name).stat().st_size for name in FILES), 40_000)
