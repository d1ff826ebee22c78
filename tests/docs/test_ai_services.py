"""docs/ai-services.md: the variables that it shows, against what each server answers."""

import http.client
import json
import re
import tempfile
import unittest

from tests.docs.ai_page import PAGE, PREFIX, ROOT, SECTIONS, SERVERS, block, reason_of, variables
from tests.peers.ai_service import answer
from tests.peers.tcp_server import TcpServer


class RecordedServer(TcpServer):
    """Gives one recorded answer on one route, and 404 on any other. `requests` are the headers of those that came."""

    def __init__(self, route, recorded):
        self._route, self._recorded = route, recorded
        self.requests = []
        super().__init__()
        if "status" not in recorded:
            self.refuse()

    def serve(self, sock):
        with sock.makefile("rb") as stream:
            while line := stream.readline():
                self.requests.append(http.client.parse_headers(stream))
                found = line.split()[1].decode() == self._route
                recorded = self._recorded if found else {"status": 404, "headers": {}, "body": ""}
                headers = [f"{name}: {text}".encode() for name, text in recorded["headers"].items()]
                sock.sendall(answer(b"%d Recorded" % recorded["status"], recorded["body"].encode(), *headers))


class AiServicesTest(unittest.TestCase):
    def check(self, server, recorded):
        """The reason that the page's check gives for a recorded answer, and the requests that it made."""
        with tempfile.TemporaryDirectory() as folder, RecordedServer(SERVERS[server]["route"], recorded) as peer:
            return reason_of(variables(server, f"http://127.0.0.1:{peer.port}", folder)), peer.requests

    def test_every_recorded_answer_is_connected_or_has_its_reason(self):
        for server, recording in SERVERS.items():
            for recorded in recording["answers"]:
                with self.subTest(server, situation=recorded["situation"]):
                    found, requests = self.check(server, recorded)
                    self.assertEqual(found, recorded["reason"])
                    self.assertEqual(len(requests), "status" in recorded)

    def test_every_server_has_an_answer_that_is_connected_and_one_that_is_not(self):
        for server, recording in SERVERS.items():
            with self.subTest(server):
                self.assertEqual({each["reason"] is None for each in recording["answers"]}, {True, False})

    def test_the_key_is_sent(self):
        _, [request] = self.check("Hosted APIs", SERVERS["Hosted APIs"]["answers"][0])
        [(name, key)] = json.loads(block("Hosted APIs", "json")).items()
        self.assertEqual(request[name], key)

    def test_the_table_the_sections_and_the_recorded_answers_are_about_the_same_servers(self):
        rows = re.findall(r"^\| \[([^]]+)\]\(#([^)]+)\) \| `([^`]+)`", PAGE, re.MULTILINE)
        self.assertEqual([(name, route) for name, _, route in rows], [(n, s["route"]) for n, s in SERVERS.items()])
        self.assertEqual(list(SECTIONS), [*SERVERS, "How this is known"])
        for name, anchor, _ in rows:
            self.assertEqual(anchor, re.sub(r"[^\w -]", "", name).lower().replace(" ", "-"))

    def test_the_target_of_every_link_to_a_file_exists(self):
        for file in re.findall(r"\]\(([^)#]+)", PAGE):
            self.assertTrue((ROOT / "docs" / file).exists(), file)

    def test_the_url_of_litellm_is_not_the_paid_route(self):
        url = variables("LiteLLM", "", None)[PREFIX + "URL"]
        self.assertEqual(url, "/health/readiness")
