"""`/` and its files over HTTP; what a browser makes of them is in tests.page."""

import mimetypes
import re
import unittest
from pathlib import Path

import app.page
from app.factory import create_app
from app.net.reason import Reason
from app.page.content import FULL
from app.settings import Settings
from tests.page.stage import Stage, many, record

NOW = 1795435200000
STATIC = Path(app.page.__file__).parent / "static"
FILES = sorted(path.name for path in STATIC.iterdir())
FLAPPING = [(60_000 * n, Reason.TIMEOUT if n % 2 else None) for n in range(50, 0, -1)]


def client(*periods, **identity):
    records = (record(name, NOW, *periods or [(9000, None)]) for name in ("ai_service", "mongodb"))
    return Stage(*records, now=NOW, **identity).app.test_client()


class PageTest(unittest.TestCase):
    def test_the_page_is_never_stored_and_its_status_code_is_200_whatever_the_verdict(self):
        for reason, verdict in ((None, "healthy"), (Reason.REFUSED, "unhealthy")):
            response = client((9000, reason)).get("/")
            self.assertEqual(response.status_code, 200)
            self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertEqual(response.headers["Cache-Control"], "no-store")
            self.assertEqual(re.findall(r"<h1>(.*?)</h1>", response.text), [verdict])

    def test_page_and_files_answer_get_and_head_only(self):
        client = create_app(Settings.load({})).test_client()
        for path in ("/", "/static/page.css", "/static/none.css"):
            missing = path.endswith("none.css")
            response = client.head(path, buffered=True)
            self.assertEqual((response.status_code, response.data), (404 if missing else 200, b""))
            for method in ("POST", "OPTIONS", "DELETE"):
                with self.subTest(path, method=method):
                    response = client.open(path, method=method)
                    self.assertEqual((response.status_code, response.headers["Allow"]), (405, "GET, HEAD"))

    def test_configured_text_is_never_markup(self):
        nasty = "<script>alert(1)</script>\"'&</script><!--"
        html = client(service=nasty, version=nasty).get("/").text
        self.assertEqual(html.count("alert(1)"), 5)  # title, name and version at the top and at the bottom
        self.assertEqual(re.findall("<script[^>]*>", html), ['<script type="module" src="static/page.js">'])

    def test_the_page_needs_nothing_that_the_content_security_policy_forbids(self):
        """No inline style, script or handler, and no address of another host."""
        html = client().get("/").text
        self.assertNotRegex(html, r"<style|<[^>]* (style|on[a-z]+)=")
        links = re.findall(r'(?:src|href)="([^"]*)"', html)
        self.assertGreater(len(links), 4)
        for link in links:
            self.assertRegex(link, r"^[a-z]+(/[a-z.]+)?$")

    def test_page_and_files_require_the_token(self):
        client = create_app(Settings.load({"STATUS_TOKEN": "sesame"})).test_client()
        for path in ("/", *(f"/static/{name}" for name in FILES)):
            self.assertEqual(client.get(path).status_code, 401)
            self.assertEqual(client.get(path, auth=("me", "sesame"), buffered=True).status_code, 200)


class FilesTest(unittest.TestCase):
    def test_the_type_of_a_file_does_not_depend_on_the_machine(self):
        types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
        for suffix in types:
            mimetypes.add_type("application/x-odd", f".{suffix}")  # as an odd /etc/mime.types would
        files = client()
        for name in FILES:
            with self.subTest(name):
                response = files.get(f"/static/{name}", buffered=True)
                self.assertEqual(response.data, (STATIC / name).read_bytes())
                expected = f"{types[name.rpartition('.')[2]]}; charset=utf-8"
                self.assertEqual(response.headers["Content-Type"], expected)

    def test_a_browser_keeps_a_copy_and_asks_whether_it_still_holds(self):
        files = client()
        first = files.get("/static/page.js", buffered=True)
        self.assertEqual(first.headers["Cache-Control"], "private, no-cache")
        headers = {"If-None-Match": first.headers["ETag"]}
        again = files.get("/static/page.js", headers=headers, buffered=True)
        self.assertEqual((again.status_code, again.data), (304, b""))
        self.assertEqual(again.headers["Cache-Control"], "private, no-cache")
        self.assertEqual(files.get("/static/page.css", headers=headers, buffered=True).status_code, 200)

    def test_a_path_that_names_no_file_is_404(self):
        files = create_app(Settings.load({})).test_client()
        for name in ("", "none.js", "content.py", "../content.py", "..%2fcontent.py", "a%00.js", "."):
            with self.subTest(name):
                response = files.get(f"/static/{name}")
                self.assertEqual((response.status_code, response.content_type), (404, "application/problem+json"))

    def turning(self, number, down):
        """The record of a dependency whose chart is as long as any: each third check fails, and the last one if `down`."""
        periods = [((80 - n) * 5000, Reason.HTTP_STATUS if (n + down) % 3 == 2 else None) for n in range(80)]
        return record(f"service_{number}", NOW, *periods, affects=30 * "x")

    def test_page_and_files_together_are_under_60_kb_with_32_dependencies(self):
        files = sum((STATIC / name).stat().st_size for name in FILES)
        flapping = Stage(*(record(f"service_{n}", NOW, *FLAPPING, affects=30 * "x") for n in range(32)), now=NOW)
        turning = Stage(*(self.turning(n, down=n < FULL) for n in range(32)), now=NOW)
        turning.advice = 5 * [{"code": 18 * "x", "evidence": 110 * "x", "do": 70 * "x"}]
        turning.probers = flapping.probers = many(NOW).probers
        for name, stage in (
            ("well", many(NOW, 0)),
            ("mixed", many(NOW)),
            ("down", many(NOW, 32)),
            ("flapping", flapping),
            ("two checks of three are successful", turning),
        ):
            with self.subTest(name):
                stage.upstreams = [(f"upstream-{n}", "reconnecting", "refused", 4, NOW) for n in range(8)]
                self.assertLess(len(stage.app.test_client().get("/").data) + files, 60_000)
