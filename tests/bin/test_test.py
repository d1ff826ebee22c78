import pathlib
import shutil
import subprocess
import tempfile
import textwrap
import unittest

from tests.bin.checkout import DEADLINE, ROOT, environment


class TestTest(unittest.TestCase):
    """bin/test and the runner that it starts, in a small checkout of their own."""

    def setUp(self):
        self.checkout = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in "bin/test", "tests/__main__.py", "setup.cfg":
            (self.checkout / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.checkout / name)
        self.write("bin/.venv.sh", "#!/bin/sh\n").chmod(0o755)  # there is a virtual environment: this one
        self.write("app/__init__.py", "def double(number):\n    return 2 * number\n")
        self.write("tests/__init__.py", "")

    def write(self, name, text):
        path = self.checkout / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def write_tests(self, name, body):
        self.write(name, "import os, threading, unittest\nimport app\n" + textwrap.dedent(body))

    def run_tests(self, *arguments):
        ran = subprocess.run(
            [self.checkout / "bin/test", *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={k: v for k, v in environment().items() if not k.startswith("COVERAGE")},
        )
        self.output = ran.stdout + ran.stderr
        return ran.stdout.splitlines()[-1], ran.returncode

    def test_everything_passes(self):
        self.write_tests(
            "tests/test_app.py",
            """
            class ATest(unittest.TestCase):
                def test_double(self):
                    self.assertEqual(app.double(2), 4)
        """,
        )
        self.assertEqual(self.run_tests(), ("1 passed, 0 failed, 0 skipped", 0))
        self.assertRegex(self.output, r"(?m)^TOTAL .* 100%$")

    def test_each_test_counts_once(self):
        self.write_tests(
            "tests/test_app.py",
            """
            class ATest(unittest.TestCase):
                def test_passes(self):
                    app.double(2)

                @unittest.expectedFailure
                def test_fails_as_it_should(self):
                    self.fail()

                def test_passes_in_parts(self):
                    for part in range(3):
                        with self.subTest(part):
                            pass

                def test_fails_in_two_parts(self):
                    for part in range(3):
                        with self.subTest(part):
                            self.assertEqual(part, 0)

                def test_raises(self):
                    raise ValueError

                def test_warns(self):
                    open(__file__)

                @unittest.expectedFailure
                def test_passes_as_it_should_not(self):
                    pass

                def test_leaves_a_thread_that_raises(self):
                    thread = threading.Thread(target=lambda: 1 / 0)
                    thread.start()
                    thread.join()

                @unittest.skip("why not")
                def test_is_skipped(self):
                    pass

                def test_is_skipped_in_part(self):
                    with self.subTest():
                        self.skipTest("why not")

            class NeverTest(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    raise OSError

                def test_never_runs(self):
                    pass
        """,
        )
        self.write_tests("tests/part/test_import.py", "import nowhere")
        self.assertEqual(self.run_tests(), ("3 passed, 7 failed, 2 skipped", 1))
        self.assertIn("ZeroDivisionError", self.output)
        self.assertIn("ResourceWarning", self.output)

    def test_too_little_coverage_fails(self):
        self.write("app/__init__.py", "def untested():\n" + "    a = 1\n" * 20)
        self.write_tests(
            "tests/test_app.py",
            """
            class ATest(unittest.TestCase):
                def test_passes(self):
                    pass
        """,
        )
        self.assertEqual(self.run_tests(), ("1 passed, 1 failed, 0 skipped", 1))
        self.assertEqual(self.run_tests("tests.test_app"), ("1 passed, 0 failed, 0 skipped", 0))

    def test_parts_of_it_by_name(self):
        body = """
            class ATest(unittest.TestCase):
                def test_one(self):
                    app.double(2)

                def test_two(self):
                    pass
        """
        self.write_tests("tests/test_app.py", body)
        self.write_tests("tests/part/test_part.py", body)
        self.write_tests("tests/container/test_container.py", body)
        for names, passed in (
            ([], 4),
            (["tests.container", "tests.test_app.ATest"], 4),
            (["-v", "tests.part.test_part.ATest.test_one"], 1),
        ):
            with self.subTest(names=names):
                self.assertEqual(self.run_tests(*names), (f"{passed} passed, 0 failed, 0 skipped", 0))
        self.assertIn("test_one", self.output)

    def test_nothing_to_run_fails(self):
        self.assertEqual(self.run_tests()[1], 1)
        self.assertEqual(self.run_tests("tests.nowhere"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_an_end_before_the_end_fails(self):
        self.write_tests(
            "tests/test_app.py",
            """
            class ATest(unittest.TestCase):
                def test_ends_it_all(self):
                    os._exit(0)
        """,
        )
        self.assertEqual(self.run_tests("tests.test_app"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_what_runs_in_another_process_is_measured(self):
        self.write_tests(
            "tests/test_app.py",
            """
            import subprocess, sys

            class ATest(unittest.TestCase):
                def test_elsewhere(self):
                    code = "import os, app\\nif not os.fork(): app.double(2)\\nelse: os.wait()"
                    subprocess.run([sys.executable, "-c", code], check=True)
        """,
        )
        self.assertEqual(self.run_tests(), ("1 passed, 0 failed, 0 skipped", 0))
        self.assertRegex(self.output, r"(?m)^TOTAL .* 100%$")
