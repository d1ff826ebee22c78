import unittest

from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader, Unreader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.serving.request_head import LARGEST_PROBE, MOST_FIELDS, ProbeRequest, decidable, recognise

PEER = ("192.0.2.1", 40000)
PROXY = ("127.0.0.1", 40000)  # gunicorn trusts it by default

METHODS = [b"GET", b"HEAD", b"POST", b"get", b"G"]
PATHS = [
    b"/health",
    b"/health/live",
    b"/health/ready",
    b"/health?",
    b"/health/",
    b"//health",
    b"/%68ealth",
    b"http://a/health",
    b"/health#x",
    b"/health/details",
    b"*",
]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 "]
FIELDS = [
    b"Host: a",
    b"host:[::1]:80",
    b"Connection: close",
    b"CONNECTION: Keep-Alive",
    b"Accept: */*",
    b"X-A:",
    b"User-Agent:\tx y ",
]
NAMES = [
    b"Host",
    b"Connection",
    b"Content-Length",
    b"Transfer-Encoding",
    b"Expect",
    b"Upgrade",
    b"Cache-Control",
    b"Accept",
    b"X-Forwarded-Proto",
    b"X_Forwarded_For",
    b"SCRIPT_NAME",
    b"Content-Type",
    b" Host",
    b"Te",
]
VALUES = [
    b"",
    b"a",
    b"a b",
    b"close",
    b"Keep-Alive, x",
    b"0",
    b"5",
    b"chunked",
    b"100-continue",
    b"websocket",
    b"no-cache",
    b"https",
    b"on",
]


@st.composite
def heads(draw):
    """Mostly a proper head of a probe, with at most a few things odd about it; sometimes not all of it."""

    def usually(proper, odd):
        return draw(st.sampled_from(proper)) if draw(st.integers(0, 5)) else draw(odd)

    def pick(all_of_them, proper):
        return usually(all_of_them[:proper], st.sampled_from(all_of_them))

    line = b" ".join([pick(METHODS, 2), pick(PATHS, 3), pick(VERSIONS, 2)])
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique_by=lambda field: field[:5].lower()))
    odd = st.builds(
        lambda name, colon, value: name + colon + value,
        st.sampled_from(NAMES) | st.binary(max_size=6),
        st.sampled_from([b": ", b":", b" : ", b""]),
        st.sampled_from(VALUES) | st.binary(max_size=6),
    )
    fields = draw(st.permutations(fields + usually([[]], st.lists(odd, max_size=2))))
    end = usually([b"\r\n"], st.sampled_from([b"\n", b"\r", b"\r\n "]))
    behind = usually([b""], st.sampled_from([b"\r\n", b"x", b"GET / HTTP/1.1\r\n\r\n"]))
    data = usually([b""], st.sampled_from([b"\r\n", b"\n", b" "])) + end.join([line, *fields, b"", b""]) + behind
    at = usually([None], st.integers(0, len(data)))
    if at is not None:
        data = data[:at] + draw(st.binary(max_size=2)) + usually([data[at + 1 :]], st.just(b""))
    return data


class Finite(Unreader):
    """Yields its bytes once, and fails a parser that asks for more."""

    def __init__(self, data):
        super().__init__()
        self._data = data

    def chunk(self, size_hint=None):
        data, self._data = self._data, None
        if data is None:
            raise AssertionError("the parser waits for another byte")
        return data


def head(*fields, line="GET /health HTTP/1.1"):
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


class TestRecognise(unittest.TestCase):
    def test_a_probe_in_all_its_forms(self):
        host = "Host: a"
        for data, request in {
            head(host): ProbeRequest("/health", False, 1, True),
            head(host, "Connection: close"): ProbeRequest("/health", False, 1, False),
            head(host, "CONNECTION:  Keep-Alive \t"): ProbeRequest("/health", False, 1, True),
            head(line="GET /health HTTP/1.0"): ProbeRequest("/health", False, 0, False),
            head("Connection: keep-alive", line="HEAD /health/live HTTP/1.0"): ProbeRequest(
                "/health/live", True, 0, True
            ),
            head(
                "Host: [::1]:8080", "User-Agent: kube-probe/1.31", "Accept: */*", line="GET /health/ready HTTP/1.1"
            ): ProbeRequest("/health/ready", False, 1, True, "kube-probe/1.31"),
        }.items():
            with self.subTest(data):
                self.assertEqual(recognise(data), request)

    def test_a_request_in_doubt_is_not_a_probe(self):
        host = "Host: a"
        for data in (
            b"",
            b"\r\n",
            head(host)[:-1],
            b"\r\n" + head(host),
            head(host) + b"x",
            head(host) + head(host),
            head(),
            head("Host: a b"),
            head("Host: a/b"),
            head(host, host),
            head(host, "Accept: a", "accept: b"),
            head(host, "Content-Length: 0"),
            head(host, "Transfer-Encoding: chunked"),
            head(host, "Upgrade: websocket"),
            head(host, "Connection: Upgrade"),
            head(host, "Connection: close, x"),
            head(host, "Expect: 100-continue"),
            head(host, "Cache-Control: no-cache"),
            head(host, "Cache-Control: max-age=0"),
            head(host, "Pragma: no-cache"),
            head(host, "X_Y: z"),
            head(host, "X : z"),
            head(host, " folded"),
            head(host, "X: \x01"),
            head(host, "X: \x7f"),
            head(host, "X: \xe9"),
            head(host, "no colon"),
            head(host, ": z"),
            head(host, line="POST /health HTTP/1.1"),
            head(host, line="GET /health?x HTTP/1.1"),
            head(host, line="GET /health?a HTTP/1.1"),
            head(host, line="GET /Health HTTP/1.1"),
            head(host, "Accept: text/plain"),
            head(host, "Accept: application/health+json"),
            head(host, line="GET /health HTTP/2.0"),
            head(host, line="GET  /health HTTP/1.1"),
            head(host, line="GET http://a/health HTTP/1.1"),
            head(host).replace(b"\r\n", b"\n"),
            head(host, *(f"X-{number}: y" for number in range(MOST_FIELDS))),
            head(host, "X: " + LARGEST_PROBE * "y"),
        ):
            with self.subTest(data):
                self.assertIsNone(recognise(data))

    @settings(max_examples=120, deadline=None, database=None)
    @given(heads(), st.sampled_from([PEER, PROXY]))
    @example(head("Host: a"), PROXY)
    def test_gunicorn_reads_what_the_lane_answers_as_the_same_request(self, data, peer):
        asked = recognise(data)
        if asked is None:
            return
        unreader = IterUnreader([data])
        read = Request(Config(), unreader, peer)
        self.assertEqual(
            (read.uri, read.method, read.version, read.should_close(), read.query, read.body.read(), unreader.read()),
            (asked.path, "HEAD" if asked.head_only else "GET", (1, asked.minor), not asked.keep_alive, "", b"", b""),
        )
        self.assertFalse(read._expected_100_continue)
        self.assertEqual(read.scheme, "http")


class TestDecidable(unittest.TestCase):
    def test_a_whole_head_and_bytes_that_cannot_become_one_are_decidable(self):
        for data in (
            head("Host: a"),
            b"GET /health\r\n",
            b"\r\nGET /\r\n",
            b"GET / HTTP/1.1\nHost",
            b"\n",
            b"x\r\n",
            b"\r\n\r\n",
            b"GET / HTTP/1.1 x\r\n",
        ):
            with self.subTest(data):
                self.assertTrue(decidable(data))

    def test_bytes_that_may_still_become_a_head_are_not_decidable(self):
        for data in (
            b"",
            b"G",
            b"\r",
            b"\r\n",
            b"\r\nGET",
            b"GET / HTTP/1.1",
            b"GET / HTTP/1.1\r",
            b"GET / HTTP/1.1\r\nHost: a\r\n",
        ):
            with self.subTest(data):
                self.assertFalse(decidable(data))

    @settings(max_examples=120, deadline=None, database=None)
    @given(heads())
    @example(b"\r\n\r\n")
    @example(b"GET /health\r\n")
    def test_the_parser_accepts_or_refuses_it_without_another_byte(self, data):
        if not decidable(data):
            return
        try:
            Request(Config(), Finite(data), PEER)
        except ParseException:
            pass

    @settings(max_examples=200, deadline=None, database=None)
    @given(heads(), st.lists(st.integers(0, 120), max_size=6))
    @example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", list(range(1, 30)))
    @example(b"\r\nGET /health\r\n", list(range(1, 17)))
    @example(b"GET / HTTP/1.1\r\nHost: a\rb\nc", list(range(1, 29)))
    def test_a_head_in_parts_is_decidable_as_soon_as_it_is_as_a_whole(self, data, cuts):
        judged = 0
        for cut in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
            expected = decidable(data[:cut])
            self.assertEqual(decidable(bytearray(data[:cut]), judged), expected)
            if expected:
                return
            judged = cut
