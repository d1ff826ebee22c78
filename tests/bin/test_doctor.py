import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import unittest

from app import __version__
from tests.bin.checkout import DEADLINE, ROOT, environment
from tests.peers.ai_service import FaultyAiService
from tests.peers.mongo import Script, ScriptedMongo
from tests.peers.tcp_server import ScriptedServer

NOTHING = "http://127.0.0.1:1"


class DoctorTest(unittest.TestCase):
    def run_doctor(self, *arguments, **settings):
        settings = {"MONGO_URI": "", "AI_SERVICE_URL": NOTHING, **settings}
        return subprocess.run(
            [ROOT / "bin/doctor", *arguments],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(**settings),
        )

    def test_the_status_is_0_if_all_is_well_and_1_if_a_step_failed(self):
        with FaultyAiService() as ai_service:
            ran = self.run_doctor(AI_SERVICE_URL=ai_service.url)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)
            self.assertEqual(ran.stdout.splitlines()[-1], "1 of 1 are well")
            self.assertEqual(set(ai_service.paths), {"/health"})
        ran = self.run_doctor()
        self.assertEqual((ran.returncode, ran.stderr), (1, ""))
        self.assertRegex(ran.stdout, r"\n  connect +failed +\d+ ms  127.0.0.1:1 connection refused\n")
        self.assertRegex(ran.stdout, r"\n  It means: .+\.\n  Do: .+\.\n\n1 of 1 failed: ai_service\n\Z")
        self.assertNotIn("\033", ran.stdout)

    def test_json_is_one_object_with_dependencies_and_upstreams_by_name(self):
        upstreams = "second=ws://127.0.0.1:1/,first=ws://127.0.0.1:1/"
        ran = self.run_doctor("--json", DEPENDENCY__CACHE__URL="tcp://127.0.0.1:1", WS_UPSTREAMS=upstreams)
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(ran.stdout.count("\n"), 1)
        shown = json.loads(ran.stdout)
        self.assertEqual(list(shown), ["ok", "dependencies", "upstreams"])
        self.assertIs(shown["ok"], False)
        self.assertEqual(
            [(each["name"], each["kind"]) for each in shown["upstreams"]],
            [("first", "websocket"), ("second", "websocket")],
        )
        self.assertEqual(
            [(each["name"], each["kind"]) for each in shown["dependencies"]], [("ai_service", "http"), ("cache", "tcp")]
        )
        for each in shown["dependencies"] + shown["upstreams"]:
            self.assertEqual(list(each), ["name", "kind", "ok", "steps", "means", "do"])
            self.assertEqual({tuple(step) for step in each["steps"]}, {("step", "state", "ms", "text")})

    def test_names_choose_what_is_tried_and_what_counts(self):
        with FaultyAiService() as ai_service:
            settings = {"AI_SERVICE_URL": ai_service.url, "WS_UPSTREAMS": "feed=ws://127.0.0.1:1/"}
            ran = self.run_doctor("--json", "ai_service", **settings)
            self.assertEqual(ran.returncode, 0, ran.stdout)
            self.assertEqual(json.loads(ran.stdout)["upstreams"], [])
            ran = self.run_doctor("--json", "feed", **settings)
            self.assertEqual(ran.returncode, 1, ran.stdout)
            self.assertEqual(json.loads(ran.stdout)["dependencies"], [])

    def test_an_unknown_name_or_option_is_wrong_usage_and_the_known_names_are_listed(self):
        ran = self.run_doctor("cash", "ai_service", DEPENDENCY__CACHE__URL="tcp://127.0.0.1:1")
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))
        self.assertIn("unknown: cash; the names are ai_service, cache\n", ran.stderr)
        self.assertEqual(self.run_doctor("--fix").returncode, 2)

    def test_bad_settings_give_the_lines_of_the_service(self):
        settings = {"PORT": "none", "DEPENDENCY__CACHE__URL": "redis://:sesame@"}
        doctor = self.run_doctor(**settings)
        service = subprocess.run(
            [ROOT / "bin/serve"], capture_output=True, text=True, timeout=DEADLINE, env=environment(**settings)
        )
        self.assertEqual((doctor.returncode, doctor.stdout, doctor.stderr), (2, "", service.stderr))
        self.assertEqual(len(doctor.stderr.splitlines()), 2)

    def test_a_setting_that_is_probably_misspelt_is_named_beside_the_diagnoses(self):
        ran = self.run_doctor("--json", MONGODB_URI="mongodb://127.0.0.1")
        self.assertRegex(ran.stderr, r"\AWARN: .*MONGODB_URI.*MONGO_URI.*\n\Z")
        self.assertFalse(json.loads(ran.stdout)["ok"])

    def test_a_secret_that_a_peer_echoes_is_not_shown(self):
        with ScriptedMongo(Script.PRIMARY) as server:
            server.play(Script.PRIMARY, setName="HunteR2", hosts=["HunteR2:HunteR2", "HunteR2:1"])
            for options in [], ["--json"]:
                ran = self.run_doctor(
                    *options, MONGO_URI=f"mongodb://someone:HunteR2@{server.address}/", AI_SERVICE_URL=""
                )
                self.assertIn("of the set ***", ran.stdout)
                self.assertNotIn("hunter2", (ran.stdout + ran.stderr).lower())

    def redirected(self, redirection, *options, **settings):
        """The command with `redirection` of the shell, as one that a user types."""
        return subprocess.run(
            ["bash", "-c", f'"$0" -m app.doctor.command "$@" {redirection}', sys.executable, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(MONGO_URI="", AI_SERVICE_URL=NOTHING, **settings),
        )

    def test_a_reader_that_goes_away_changes_nothing(self):
        for redirection in ("| true", "| head -1", ">&-"):
            ran = self.redirected(f"{redirection}; exit ${{PIPESTATUS[0]}}")
            self.assertEqual((ran.returncode, ran.stderr), (1, ""))

    def test_output_that_cannot_be_written_ends_it_with_one_line(self):
        ran = self.redirected(">/dev/full")
        expected = "server-health-doctor: the output cannot be written: No space left on device\n"
        self.assertEqual((ran.returncode, ran.stderr), (2, expected))

    def test_with_stderr_closed_nothing_but_json_is_on_stdout(self):
        ran = self.redirected("2>&-", "--json", MONGODB_URI="mongodb://127.0.0.1")
        self.assertFalse(json.loads(ran.stdout)["ok"])

    def test_ctrl_c_ends_it_at_once_with_one_line(self):
        with ScriptedServer(lambda server, sock: server.ignore(sock)) as hung:
            url = f"127.0.0.1:{hung.port}"
            process = subprocess.Popen(
                [ROOT / "bin/doctor"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(MONGO_URI=f"mongodb://{url}", AI_SERVICE_URL=f"http://{url}"),
            )
            with process:
                self.assertRegex(
                    process.stdout.readline(), r"\ARun on .+, .*in a container"
                )  # shown before anything is tried
                self.assertTrue(hung.wait_for(lambda: hung.connections >= 3, DEADLINE))
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=DEADLINE)
        self.assertEqual((process.returncode, errors), (130, "server-health-doctor: interrupted\n"))

    def test_there_are_colours_on_a_terminal_only_and_not_with_no_color(self):
        for settings, coloured in ({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False):
            with self.subTest(settings):
                terminal, inside = pty.openpty()
                try:
                    subprocess.run(
                        [ROOT / "bin/doctor"],
                        stdout=inside,
                        stderr=inside,
                        timeout=DEADLINE,
                        env=environment(MONGO_URI="", AI_SERVICE_URL=NOTHING, **{"TERM": "xterm", **settings}),
                    )
                    os.set_blocking(terminal, False)
                    shown = os.read(terminal, 65536)
                finally:
                    os.close(inside)
                    os.close(terminal)
                self.assertEqual(b"\033[1;31mfailed" in shown, coloured, shown)

    def test_help_and_version(self):
        for option in ("-h", "--help"):
            ran = self.run_doctor(option)
            self.assertEqual((ran.stderr, ran.returncode), ("", 0))
            self.assertTrue(ran.stdout.startswith("usage: server-health-doctor "), ran.stdout)
        ran = self.run_doctor("--version")
        self.assertEqual((ran.stdout, ran.returncode), (f"server-health-doctor {__version__}\n", 0))

    def test_missing_requirements_are_reported_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            python = pathlib.Path(folder, "bin/python")
            python.parent.mkdir()
            python.write_text('#!/bin/sh\nexec "$PYTHON" -S "$@"\n')  # without site-packages
            python.chmod(0o755)
            ran = self.run_doctor(VENV=folder)
        self.assertEqual((ran.stdout, ran.returncode), ("", 2))
        self.assertRegex(ran.stderr, r"\Aserver-health-doctor: .+: pip install .+\n\Z")
