"""Any setting may be the content of a file."""

import os
import tempfile
import unittest
from pathlib import Path

from app.settings import Settings, SettingsError

PATH = "must be the path of a readable file, text of at most 64 KiB; "


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "value")

    def loaded(self, variable, content, **others):
        self.path.write_bytes(content)
        return Settings.load({f"{variable}_FILE": str(self.path), **others})

    def lines(self, variable, path, **others):
        with self.assertRaises(SettingsError) as raised:
            Settings.load({variable: str(path), **others})
        self.assertNotIn(str(path), str(raised.exception))
        return raised.exception.lines

    def test_every_setting_may_be_in_a_file(self):
        for variable, value in Settings.load({}).masked().items():
            with self.subTest(variable):
                self.assertEqual(self.loaded(variable, value.encode()).masked()[variable], value)

    def test_every_option_of_a_dependency_may_be_in_a_file(self):
        settings = self.loaded("DEPENDENCY__CACHE__URL", b"redis://:hunter2@h\n", DEPENDENCY__CACHE__TITLE="Cache")
        cache = settings.dependencies[1]
        self.assertEqual((cache.url.get_secret_value(), cache.title), ("redis://:hunter2@h", "Cache"))
        self.assertEqual(settings.secrets(), {"hunter2"})
        self.assertEqual(settings.masked()["DEPENDENCY__CACHE__URL"], "redis://***@h")

    def test_one_newline_at_the_end_is_cut(self):
        for end in (b"", b"\n", b"\r\n"):
            with self.subTest(end):
                self.assertEqual(self.loaded("STATUS_TOKEN", b"t" + end).status_token.get_secret_value(), "t")
        for end in (b"\n\n", b"\r", b" \n", b"\n\r\n"):
            with self.subTest(end), self.assertRaises(SettingsError):
                self.loaded("STATUS_TOKEN", b"t" + end)

    def test_an_empty_file_is_an_empty_value(self):
        self.assertEqual([each.name for each in self.loaded("MONGO_URI", b"\n").dependencies], ["ai_service"])

    def test_a_variable_together_with_its_file_is_bad(self):
        self.path.write_text("80")
        for value in "80", "":
            lines = self.lines("PORT_FILE", self.path, PORT=value)
            self.assertEqual(lines, ["PORT_FILE: must not be set together with PORT"])

    def test_a_file_that_cannot_be_read_is_bad_and_the_path_is_not_shown(self):
        pipe = self.path.with_name("pipe")
        os.mkfifo(pipe)
        self.assertEqual(self.lines("PORT_FILE", pipe), [f"PORT_FILE: {PATH}it is not a regular file"])
        self.assertEqual(self.lines("PORT_FILE", pipe.parent), [f"PORT_FILE: {PATH}it is not a regular file"])
        for path in (self.path, pipe / "x", "a" * 5000):
            with self.subTest(path):
                (line,) = self.lines("PORT_FILE", path)
                self.assertTrue(line.startswith(f"PORT_FILE: {PATH}"), line)

    def test_a_file_is_text_of_at_most_64_kib(self):
        self.path.write_bytes(b"\xff")
        self.assertEqual(self.lines("SERVICE_NAME_FILE", self.path), [f"SERVICE_NAME_FILE: {PATH}it is not UTF-8"])
        self.assertEqual(len(self.loaded("SERVICE_NAME", b"x" * 65536).service_name), 65536)
        self.path.write_bytes(b"x" * 65537)
        self.assertEqual(self.lines("SERVICE_NAME_FILE", self.path), [f"SERVICE_NAME_FILE: {PATH}it is larger"])

    def test_the_bad_content_of_a_file_is_not_shown(self):
        self.path.write_text("hunter2")
        lines = self.lines("PORT_FILE", self.path)
        self.assertEqual(lines, ["PORT_FILE: the content of the file must be a port, 1 to 65535"])

    def test_only_the_file_is_reported_where_an_url_cannot_be_read(self):
        lines = self.lines(
            "DEPENDENCY__CACHE__URL_FILE",
            self.path,
            DEPENDENCY__CACHE__STATUSES="200",
            READINESS_REQUIRES="cache,mongodb",
        )
        self.assertEqual(lines, [f"DEPENDENCY__CACHE__URL_FILE: {PATH}No such file or directory"])
