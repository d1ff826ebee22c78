"""Probers, and those that give up, on a real gunicorn with the probe worker."""

import contextlib
import os
import re
import socket
import threading
import time
import unittest
from pathlib import Path

from tests.peers.ai_service import FaultyAiService, Mode
from tests.peers.service import OddService, OddServiceTest, eventually, read_all, read_response

KUBELET, BALANCER, PERSON = "kube-probe/1.31", "ELB-HealthChecker/2.0", "curl/8.10.1"
WAIT = 2.0
HUNG = {"PROBE_WAIT_SECONDS": str(WAIT), "CHECK_TIMEOUT_SECONDS": "2.5", "CHECK_MAX_AGE_SECONDS": "0.1"}


def head(product, path="/health", *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", f"User-Agent: {product}", *fields, "", ""]).encode()


class WhoAsksTest(OddServiceTest):
    def seen(self, product, route="/health"):
        """What the details show of a prober; None if it is not there."""
        probers = self.service.json("/health/details")["probers"]
        return next((each for each in probers if (each["product"], each["route"]) == (product, route)), None)

    def abandoned(self, route="/health"):
        name = f'server_health_probes_abandoned_total{{route="{route}"}} '
        lines = self.service.get("/metrics").body.decode().splitlines()
        return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    def impatient(self, product, timeout, **headers):
        """Whether a client with a timeout like the kubelet's gave up."""
        try:
            self.service.get("/health", timeout=timeout, User_Agent=product, **headers)
        except TimeoutError:
            return True
        return False

    def parked(self, product, *fields):
        """A connection whose probe waits: one that is not answered within a while."""

        def found():
            sock = self.service.connect(timeout=0.2)
            sock.sendall(head(product, "/health", *fields))
            try:
                read_response(sock)
            except TimeoutError:
                sock.settimeout(10)
                return sock
            sock.close()
            return None

        return self.enterContext(eventually(found, timeout=20))


class TestSeen(WhoAsksTest):
    """No probe waits, and no client leaves."""

    def test_the_lane_and_flask_count_the_same_prober_together(self):
        with contextlib.closing(self.service.connect()) as sock:
            for path in ("/health/live", "/livez", "/livez?through=flask", "/health/live"):
                sock.sendall(head("one/1", path))
                self.assertIn(b" 200 OK\r\n", read_response(sock)[0])
        seen = self.seen("one/1", "/health/live")
        self.assertEqual((seen["count"], seen["last_status"], seen["abandoned"]), (4, 200, 0))
        self.assertGreater(seen["period_ms"], 0)
        self.assertEqual((seen["address"], seen["kind"]), ("127.0.0.1", "other"))

    def test_a_kept_connection_of_several_probers_counts_for_each(self):
        with contextlib.closing(self.service.connect()) as sock:
            for product, path in (("two/1", "/health"), ("two/2", "/health"), ("two/1", "/readyz")):
                sock.sendall(head(product, path))
                read_response(sock)
        for product, route in (("two/1", "/health"), ("two/2", "/health"), ("two/1", "/health/ready")):
            self.assertEqual(self.seen(product, route)["count"], 1)

    def test_no_header_changes_the_address(self):
        for way in ("", "?through=flask"):
            product = f"three/{len(way)}"
            self.service.get(
                f"/health{way}", User_Agent=product, X_Forwarded_For="203.0.113.9", Forwarded="for=1.2.3.4"
            )
            self.assertEqual(self.seen(product)["address"], "127.0.0.1")

    def test_200_provoked_probers_leave_64_rows_and_the_memory_as_it_is(self):
        def provoke(batch):
            for number in range(200):
                self.service.get("/health", User_Agent=f"{batch}-{number}-" + 500 * "x")

        provoke(0)
        before = self.memory()
        for batch in range(1, 4):
            provoke(batch)
        self.assertLess(self.memory() - before, 2 * 1024)
        probers = self.service.json("/health/details")["probers"]
        self.assertEqual(len(probers), 64)
        self.assertLessEqual(max(len(each["product"] or "") for each in probers), 64)

    def memory(self):
        """Of the worker, in KiB."""
        status = Path(f"/proc/{self.service.worker_pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])


class TestGivingUp(WhoAsksTest):
    """A dependency hangs, and probes wait for it longer than their clients do."""

    settings = HUNG

    def setUp(self):
        self.ai_service.mode = Mode.MUTE

    def test_a_client_like_the_kubelet_is_seen_to_give_up_after_its_own_timeout(self):
        before = self.abandoned()
        eventually(lambda: self.impatient(KUBELET, 1.0), timeout=20)
        seen = eventually(lambda: (found := self.seen(KUBELET))["abandoned"] and found)
        self.assertGreater(seen["abandoned_after_ms"], 500)
        self.assertLess(seen["abandoned_after_ms"], 1000 * WAIT)  # at once, and not only when the answer was due
        self.assertIsNone(seen["last_status"])
        self.assertGreaterEqual(self.abandoned() - before, 1)

    def test_one_that_waits_for_its_answer_is_not_abandoned(self):
        self.parked("patient/1", "Connection: close").recv(10)
        seen = self.seen("patient/1")
        self.assertEqual((seen["abandoned"], seen["abandoned_after_ms"], seen["last_status"]), (0, None, 503))

    def test_one_that_has_piped_its_request_gets_the_answer_and_is_not_abandoned(self):
        def waited():
            began = time.monotonic()
            answer = self.service.send(head("piped/1", "/health"), end=True)
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
            return time.monotonic() - began > 0.5

        eventually(waited, timeout=20)
        self.assertEqual(self.seen("piped/1")["abandoned"], 0)

    def test_one_that_resets_its_connection_has_given_up(self):
        sock = self.parked("reset/1")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        eventually(lambda: self.seen("reset/1")["abandoned"] == 1)

    def test_what_is_sent_while_a_probe_waits_is_answered_later_and_makes_the_loop_do_nothing(self):
        sock = self.parked("piping/1")
        sock.sendall(head("piping/2", "/health/live") + head("piping/3", "/nothing") + bytes(100_000))
        used, began = self.processor_seconds(), time.monotonic()
        sock.recv(1, socket.MSG_PEEK)
        waited = time.monotonic() - began
        self.assertLess(self.processor_seconds() - used, max(0.5, waited / 2))
        codes = re.findall(rb"HTTP/1\.1 (\d+) ", read_all(sock))
        self.assertEqual(codes[:3], [b"503", b"200", b"404"])

    def test_one_that_a_thread_was_to_answer_is_counted_when_the_answer_is_due(self):
        self.assertTrue(self.impatient("fresh/1", 0.5, Cache_Control="no-cache"))
        seen = eventually(lambda: (found := self.seen("fresh/1"))["abandoned"] and found)
        self.assertEqual((seen["abandoned"], seen["last_status"]), (1, None))
        self.assertGreater(seen["abandoned_after_ms"], 250)
        self.assertLess(seen["abandoned_after_ms"], 1500)  # the answer came after two checks of 2.5 s

    def test_one_that_has_piped_what_a_thread_answers_is_not_abandoned(self):
        answer = self.service.send(head("piped/2", "/health", "Cache-Control: no-cache"), end=True)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertEqual(self.seen("piped/2")["abandoned"], 0)

    def processor_seconds(self):
        fields = Path(f"/proc/{self.service.worker_pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class UnaskedService(OddService):
    """A service that nothing asks for liveness."""

    alive = "/health/ready"


class TestAdvice(WhoAsksTest):
    """Each piece of advice once for real, with a second in place of the minute before a prober is judged."""

    settings = HUNG | {
        "EARLY_ADVICE": "1",
        "SWEEP_INTERVAL_SECONDS": "0.2",
        "DRAIN_SECONDS": "0.05",
        "UNHEALTHY_STATUS_CODE": "200",
    }

    @classmethod
    def setUpClass(cls):
        cls.ai_service = cls.enterClassContext(FaultyAiService())
        cls.service = cls.enterClassContext(UnaskedService(AI_SERVICE_URL=cls.ai_service.url, **cls.settings))

    def advice(self):
        return {each["code"]: each["evidence"] for each in self.service.json("/health/details")["advice"]}

    def advised(self, code, ask):
        """The evidence of a piece of advice, which comes while `ask` is called again and again; logged once by then."""
        pause = threading.Event()  # this test asks too, and is not to flood

        def sweeps():
            pause.wait(0.05)
            return self.service.json("/health/details")["monitor"]["sweeps"]

        evidence = eventually(lambda: ask() or pause.wait(0.05) or self.advice().get(code), timeout=20)
        self.assertTrue(self.service.wait_for_line(f" {code}: "), code)
        before = sweeps()
        eventually(lambda: sweeps() > before + 1)
        [line] = [line for line in self.service.lines if f" {code}: " in line]
        self.assertTrue(line.startswith("WARN: "), line)
        return evidence

    def test_a_kubelet_asks_health_and_nothing_asks_live(self):
        evidence = self.advised("liveness_on_health", lambda: self.service.get("/health", User_Agent=KUBELET) and None)
        self.assertRegex(
            evidence,
            r"^kubelet 127\.0\.0\.1 \(kube-probe/1\.31\) has asked /health \d+ times, and nothing has asked /health/live$",
        )
        self.service.get("/health/live")
        self.assertNotIn("liveness_on_health", self.advice())

    def test_a_balancer_reads_only_a_status_code_that_is_always_200(self):
        evidence = self.advised("code_says_nothing", lambda: self.service.get("/health", User_Agent=BALANCER) and None)
        self.assertRegex(evidence, r" has asked /health \d+ times and reads only the status code, which is always 200$")

    def test_a_balancer_asks_readiness_less_often_than_the_drain_lasts(self):
        pause = threading.Event()

        def ask():
            self.service.get("/health/ready", User_Agent=BALANCER)
            pause.wait(0.1)

        evidence = self.advised("drain_too_short", ask)
        self.assertRegex(evidence, r" asks /health/ready every 0\.\d+ s, and DRAIN_SECONDS is 0\.05$")

    def test_a_prober_gives_up(self):
        self.ai_service.mode = Mode.MUTE
        self.addCleanup(setattr, self.ai_service, "mode", Mode.OK)

        def ask():
            eventually(lambda: self.impatient(PERSON, 0.3), timeout=20)

        evidence = self.advised("prober_gives_up", ask)
        self.assertRegex(evidence, r" has abandoned \d+ of its \d+ requests for /health, the soonest after \d+ ms; ")
        self.assertTrue(evidence.endswith("; PROBE_WAIT_SECONDS is 2"), evidence)

    def test_a_prober_floods(self):
        sock = self.enterContext(self.service.connect())
        request = head("wrk/4", "/health/mongodb")

        def ask():
            for _ in range(200):
                sock.sendall(request)
                read_response(sock)

        evidence = self.advised("flood", ask)
        self.assertRegex(evidence, r" has asked /health/mongodb \d{2,} times a second for a minute or longer$")


if __name__ == "__main__":
    unittest.main()
