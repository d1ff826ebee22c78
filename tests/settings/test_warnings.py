"""What is worth a warning at start, and what is not."""

import logging
import unittest
import warnings

from app.settings import Settings
from app.settings.warnings import misspelt

SETTINGS = [name.upper() for name in Settings.model_fields]

# What platforms, images and tools set.
ORDINARY = """
PATH HOME USER LOGNAME SHELL TERM LANG LC_ALL PWD HOSTNAME HOST_IP TZ TMPDIR EDITOR host port no_proxy http_proxy
HTTP_PROXY HTTPS_PROXY NO_PROXY PYTHON_VERSION PYTHON_SHA256 PYTHONUNBUFFERED PYTHONPATH VIRTUAL_ENV GPG_KEY
PIP_NO_CACHE_DIR SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS
KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_PORT KUBERNETES_PORT_443_TCP_ADDR POD_NAME POD_IP NODE_NAME
AI_SERVICE_PORT AI_SERVICE_PORT_8000_TCP AI_SERVICE_PORT_8000_TCP_PORT AI_SERVICE_SERVICE_HOST AI_SERVICE_SERVICE_PORT
AI_SERVICE_HOST AI_SERVICE_NAME MONGO_PORT MONGO_SERVICE_HOST MONGO_SERVICE_PORT MONGO_SERVICE_PORT_MONGODB MONGO_NAME
MONGO_URI_PORT MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_ROOT_PASSWORD_FILE MONGODB_PORT
SERVER_PORT SERVER_NAME SERVER_ADDRESS SERVER_SOFTWARE SERVICE SERVICES HOSTS PORTS LOG_DIR LOG_FILE STATUS VERSION
K_SERVICE K_REVISION K_CONFIGURATION CLOUD_RUN_JOB DYNO WEBSITE_HOSTNAME WEBSITE_PORT ECS_CONTAINER_METADATA_URI
OTEL_SERVICE_NAME OTEL_SERVICE_VERSION OTEL_LOG_LEVEL DD_SERVICE DD_SERVICE_NAME DD_LOG_LEVEL DD_VERSION SENTRY_DSN
GUNICORN_CMD_ARGS WEB_CONCURRENCY HEALTHCHECK_PATH INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET
GITHUB_SERVER_URL CI_SERVER_HOST CI_JOB_TOKEN CI_SERVICE_NAME DEPENDENCY_PORT DEPENDENCY_CACHE_SERVICE_HOST
DEPENDENCY_CACHE_PORT DEPENDENCY_TRACK_API DEPENDENCIES
"""


def warnings_of(environ):
    return Settings.load(environ).warnings(environ)


class MisspeltTest(unittest.TestCase):
    def test_a_misspelt_setting_is_named_with_the_one_that_was_probably_meant(self):
        for variable, meant in (
            ("MONGODB_URI", "MONGO_URI"),
            ("MONGODB_URL", "MONGO_URI"),
            ("MONGO_URL", "MONGO_URI"),
            ("mongo_uri", "MONGO_URI"),
            ("MONGO_URL_FILE", "MONGO_URI_FILE"),
            ("AI_SERVICE_URI", "AI_SERVICE_URL"),
            ("AISERVICE_URL", "AI_SERVICE_URL"),
            ("CHECK_TIMEOUT", "CHECK_TIMEOUT_SECONDS"),
            ("CHECK_TIMEOUT_MS", "CHECK_TIMEOUT_SECONDS"),
            ("CHECK_TIMOUT_SECONDS", "CHECK_TIMEOUT_SECONDS"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("READINESS_REQUIRED", "READINESS_REQUIRES"),
            ("WS_UPSTREAM", "WS_UPSTREAMS"),
            ("SHUTDOWN_TIMEOUT", "SHUTDOWN_TIMEOUT_SECONDS"),
            ("HTTP_THREAD", "HTTP_THREADS"),
            ("DEPENDENCY_CACHE_URL", "DEPENDENCY__CACHE__URL"),
            ("DEPENDENCIES__CACHE__URL", "DEPENDENCY__CACHE__URL"),
            ("DEPENDENCY_AI_SERVICE_MAX_AGE_SECONDS", "DEPENDENCY__AI_SERVICE__MAX_AGE_SECONDS"),
            ("DEPENDENCY_CACHE_HEADERS_FILE", "DEPENDENCY__CACHE__HEADERS_FILE"),
        ):
            with self.subTest(variable):
                words = f"{variable} is not a setting and has no effect: probably {meant} is meant"
                self.assertEqual(warnings_of({variable: "hunter2"}), [words])

    def test_what_platforms_images_and_tools_set_is_not_taken_for_a_setting(self):
        self.assertEqual(misspelt(dict.fromkeys(ORDINARY.split(), "tcp://10.0.0.1:80"), SETTINGS), [])

    def test_settings_themselves_are_not_misspelt(self):
        names = [*SETTINGS, *(f"{name}_FILE" for name in SETTINGS), "DEPENDENCY__CACHE__URL", "DEPENDENCY__A__URL_FILE"]
        self.assertEqual(misspelt(names, SETTINGS), [])


class DriverTest(unittest.TestCase):
    def test_what_the_driver_warns_of_is_a_warning_that_names_the_dependency(self):
        for host, words in (
            ("x.docdb.amazonaws.com", "DocumentDB"),
            ("x.mongo.cosmos.azure.com", "CosmosDB"),
            ("h/?compressors=snappy", "snappy"),
            ("h/?compressors=lz4", "Unsupported compressor: lz4"),
        ):
            for name, variable in (("mongodb", "MONGO_URI"), ("other", "DEPENDENCY__OTHER__URL")):
                with self.subTest(host, name=name), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    (line,) = warnings_of({variable: f"mongodb://u:hunter2@{host}"})
                    self.assertRegex(line, f"\\Adependency {name}: .*{words}")
                    self.assertNotIn("hunter2", line)

    def test_the_driver_warns_where_its_logger_shows_infos_too(self):
        logger = logging.getLogger("pymongo.client")
        self.addCleanup(logger.setLevel, logger.level)
        logger.setLevel(logging.INFO)
        with self.assertNoLogs(logger):
            self.assertEqual(len(warnings_of({"MONGO_URI": "mongodb://x.docdb.amazonaws.com"})), 1)
        self.assertEqual(logger.level, logging.INFO)

    def test_nothing_is_warned_of_by_default(self):
        self.assertEqual(warnings_of({"DEPENDENCY__CACHE__URL": "redis://h"}), [])
