"""The health routes, in a plain Flask application and under several servers."""

import contextlib
import http.client
import json
import socketserver
import threading
import time
import unittest
import wsgiref.simple_server

import waitress.server
import werkzeug.serving
from flask import Flask

from app.health.answers import ProbeAnswers
from app.health.report import Identity, Report
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.net.reason import Reason
from app.web import error_handlers
from app.web.health_routes import create_health_blueprint
from tests.fakes import DEADLINE, FakeCheck, dependency, new_record, outcome

IDENTITY = Identity("server", "1.0.0")
PATHS = ("/health", "/health/live", "/health/ready", "/health/details")
UP, DOWN = None, Reason.REFUSED


def record(name, reason):
    return new_record(name, 1000).after_check(2000, 2010, outcome(reason, 1.25))


class FakeWatch:
    """Reports what the test says, and notes how it was asked."""

    def __init__(self, ai_service=UP, mongodb=UP):
        self.asked = []
        self.report = Report(IDENTITY, (record("ai_service", ai_service), record("mongodb", mongodb)))

    def probe(self, waiting=None):
        self.asked.append("probe")
        return self.report

    def probe_fresh(self, waiting=None):
        self.asked.append("probe_fresh")
        return self.report


def application(watch, code=503, required=(), ailing=(), draining=lambda: False):
    answers = ProbeAnswers(["ai_service", "mongodb"], code, required, lambda: list(ailing), draining)

    def facts():
        return {"draining": draining(), "started_at": 5, "probers": [], "advice": []}

    app = Flask("plain", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.register_blueprint(create_health_blueprint(watch, answers, facts, lambda: 1795464000.0))
    error_handlers.init_app(app)
    return app


class HealthTest(unittest.TestCase):
    def get(self, path, app, **options):
        response = app.test_client().get(path, **options)
        return response.status_code, response.data.decode()

    def test_healthy_to_the_byte(self):
        self.assertEqual(
            self.get("/health", application(FakeWatch())),
            (
                200,
                '{"status":"healthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
                '"dependencies":{"ai_service":"connected","mongodb":"connected"}}\n',
            ),
        )

    def test_unhealthy_to_the_byte(self):
        self.assertEqual(
            self.get("/health", application(FakeWatch(mongodb=DOWN))),
            (
                503,
                '{"status":"unhealthy","timestamp":1795464000000,"version":"1.0.0","service":"server",'
                '"dependencies":{"ai_service":"connected","mongodb":"disconnected"}}\n',
            ),
        )

    def test_one_that_is_down_is_enough_to_be_unhealthy(self):
        for ai_service, mongodb, status in ((UP, UP, 200), (DOWN, UP, 503), (UP, DOWN, 503), (DOWN, DOWN, 503)):
            for path in ("/health", "/health/details"):
                with self.subTest(path, ai_service=ai_service, mongodb=mongodb):
                    self.assertEqual(self.get(path, application(FakeWatch(ai_service, mongodb)))[0], status)

    def test_every_reason_is_disconnected_in_health(self):
        for reason in Reason:
            with self.subTest(reason):
                status, body = self.get("/health", application(FakeWatch(ai_service=reason)))
                self.assertEqual((status, json.loads(body)["dependencies"]["ai_service"]), (503, "disconnected"))

    def test_the_status_code_for_unhealthy_may_be_200_but_not_that_of_live_and_ready(self):
        app = application(FakeWatch(mongodb=DOWN), code=200, required=["mongodb"], ailing=["monitor"])
        self.assertEqual([self.get(path, app)[0] for path in PATHS], [200, 503, 503, 200])
        self.assertEqual(json.loads(self.get("/health", app)[1])["status"], "unhealthy")

    def test_a_query_changes_nothing(self):
        app = application(FakeWatch())
        for path in PATHS:
            with self.subTest(path):
                self.assertEqual(self.get(f"{path}?a=b&no-cache", app), self.get(path, app))


class LiveTest(unittest.TestCase):
    def test_alive_whatever_the_dependencies_do_and_without_looking_at_them(self):
        watch = FakeWatch(DOWN, DOWN)
        response = application(watch).test_client().get("/health/live", headers={"Cache-Control": "no-cache"})
        self.assertEqual((response.status_code, response.data), (200, b'{"status":"alive"}\n'))
        self.assertEqual(watch.asked, [])

    def test_dead_names_the_threads(self):
        response = application(FakeWatch(), ailing=["checker-mongodb", "monitor"]).test_client().get("/health/live")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.data, b'{"status":"dead","threads":["checker-mongodb","monitor"]}\n')

    def test_not_dead_because_it_is_leaving(self):
        response = application(FakeWatch(), draining=lambda: True).test_client().get("/health/live")
        self.assertEqual(response.status_code, 200)


class ReadyTest(unittest.TestCase):
    BOTH = ("mongodb", "ai_service")

    def test_table(self):
        for required, ai_service, mongodb, draining, status, body in (
            ((), UP, UP, False, 200, {"status": "ready"}),
            ((), DOWN, DOWN, False, 200, {"status": "ready"}),
            (("mongodb",), DOWN, UP, False, 200, {"status": "ready"}),
            (("mongodb",), UP, DOWN, False, 503, {"status": "not ready", "missing": ["mongodb"]}),
            (self.BOTH, DOWN, DOWN, False, 503, {"status": "not ready", "missing": ["mongodb", "ai_service"]}),
            (self.BOTH, UP, UP, False, 200, {"status": "ready"}),
            ((), UP, UP, True, 503, {"status": "draining", "missing": []}),
            (self.BOTH, DOWN, DOWN, True, 503, {"status": "draining", "missing": []}),
        ):
            with self.subTest(required, ai_service=ai_service, mongodb=mongodb, draining=draining):
                app = application(FakeWatch(ai_service, mongodb), required=required, draining=lambda d=draining: d)
                response = app.test_client().get("/health/ready")
                self.assertEqual((response.status_code, response.get_json()), (status, body))
                self.assertEqual(list(response.get_json()), list(body))


class DetailsTest(unittest.TestCase):
    def test_the_five_fields_stand_first_and_as_in_health_then_checks_then_the_facts(self):
        client = application(FakeWatch(mongodb=DOWN)).test_client()
        details = client.get("/health/details").get_json()
        self.assertEqual(
            list(details),
            [
                "status",
                "timestamp",
                "version",
                "service",
                "dependencies",
                "degraded",
                "checks",
                "draining",
                "started_at",
                "probers",
                "advice",
            ],
        )
        health = client.get("/health").get_json()
        self.assertEqual({key: details[key] for key in health}, health)
        self.assertEqual((details["draining"], details["started_at"]), (False, 5))

    def test_a_check_reports_everything_that_is_known(self):
        checks = application(FakeWatch(mongodb=DOWN)).test_client().get("/health/details").get_json()["checks"]
        self.assertEqual(list(checks), ["ai_service", "mongodb"])
        self.assertEqual(checks["mongodb"]["reason"], "refused")
        self.assertIsNone(checks["ai_service"]["reason"])
        self.assertEqual(checks["ai_service"]["last_success"], 2000)


class FormatsTest(unittest.TestCase):
    """The Accept header chooses the format and never the status code."""

    def get(self, path, accept, **dependencies):
        return application(FakeWatch(**dependencies)).test_client().get(path, headers={"Accept": accept})

    def test_health_json_is_answered_on_health_and_details(self):
        for path in ("/health", "/health/details"):
            response = self.get(path, "application/health+json", mongodb=DOWN)
            self.assertEqual((response.status_code, response.content_type), (503, "application/health+json"))
            self.assertEqual(json.loads(response.data)["status"], "fail")
            self.assertEqual((response.headers["Vary"], response.headers["Cache-Control"]), ("Accept", "no-store"))

    def test_the_details_are_a_table_for_a_terminal(self):
        response = self.get("/health/details", "text/plain", mongodb=DOWN)
        self.assertEqual((response.status_code, response.content_type), (503, "text/plain; charset=utf-8"))
        self.assertIn(b"\nmongodb", response.data)

    def test_anything_else_is_json(self):
        for path, accept in (("/health", "text/plain"), ("/health/details", "*/*"), ("/health/ready", "text/html")):
            self.assertEqual(self.get(path, accept).content_type, "application/json", path)


class NoCacheTest(unittest.TestCase):
    """A request may ask for checks of its own."""

    def asked(self, path, **headers):
        watch = FakeWatch()
        application(watch).test_client().get(path, headers=headers)
        return watch.asked

    def test_is_asked_for_by_the_directive_in_any_company(self):
        for value in ("no-cache", "No-Cache", "max-age=0, no-cache", "no-cache,no-store", " no-cache "):
            for path in ("/health", "/health/ready", "/health/details"):
                with self.subTest(value, path=path):
                    self.assertEqual(self.asked(path, **{"Cache-Control": value}), ["probe_fresh"])

    def test_is_not_asked_for_by_anything_else(self):
        for headers in (
            {},
            {"Cache-Control": ""},
            {"Cache-Control": "max-age=0"},
            {"Cache-Control": "no-store"},
            {"Cache-Control": "x-no-cache"},
            {"Cache-Control": 'foo="no-cache"'},
            {"Cache-Control": ',,=;"'},
        ):
            with self.subTest(headers):
                self.assertEqual(self.asked("/health", **headers), ["probe"])


class MethodsTest(unittest.TestCase):
    def setUp(self):
        self.client = application(FakeWatch(mongodb=DOWN), required=["mongodb"]).test_client()

    def test_head_is_get_without_the_body(self):
        for path in PATHS:
            with self.subTest(path):
                get, head = self.client.get(path), self.client.head(path)
                self.assertEqual((head.status, head.data), (get.status, b""))
                self.assertEqual(head.headers, get.headers)

    def test_any_other_method_is_refused_with_what_is_allowed(self):
        for path in PATHS:
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
                with self.subTest(path, method=method):
                    response = self.client.open(path, method=method)
                    self.assertEqual(response.status_code, 405)
                    self.assertEqual(set(response.headers["Allow"].split(", ")), {"GET", "HEAD"})
                    self.assertEqual(response.content_type, "application/problem+json")
                    self.assertEqual(
                        response.get_json(), {"type": "about:blank", "title": "Method Not Allowed", "status": 405}
                    )

    def test_any_other_path_is_not_there(self):
        for path in ("/health/", "/Health", "/health/absent", "//health", "/health/live/", "/%00"):
            with self.subTest(path):
                response = self.client.get(path)
                self.assertIn(response.status_code, (404, 308))
                self.assertNotEqual(response.content_type, "application/json")

    def test_nothing_may_be_stored(self):
        for path in (*PATHS, "/absent"):
            for method in ("GET", "HEAD", "POST"):
                with self.subTest(path, method=method):
                    self.assertEqual(self.client.open(path, method=method).headers["Cache-Control"], "no-store")

    def test_json_is_the_type_of_every_answer(self):
        for path in PATHS:
            with self.subTest(path):
                self.assertEqual(self.client.get(path).headers["Content-Type"], "application/json")


class RealWatchTest(unittest.TestCase):
    """With real checkers around scripted checks."""

    def start(self, timing, fresh_waiters=2):
        self.checks = [FakeCheck("ai_service"), FakeCheck("mongodb")]
        watched = [(dependency(check.name, timing=timing), check) for check in self.checks]
        self.watch = HealthWatch(IDENTITY, watched, fresh_waiters, timing.max_age + timing.timeout)
        self.addCleanup(self.watch.stop)
        for check in self.checks:
            self.addCleanup(check.release.set)
        self.watch.start()
        for check in self.checks:
            self.assertTrue(check.wait_for_runs(1))
        return application(self.watch, required=["mongodb"], draining=self.watch._released.is_set)

    def test_a_fresh_answer_comes_from_checks_that_began_after_the_request(self):
        client = self.start(Timing(interval=60, max_age=0.01, probe_wait=0, timeout=DEADLINE)).test_client()
        for path in ("/health", "/health/ready", "/health/details"):
            with self.subTest(path):
                before = [check.runs for check in self.checks]
                self.checks[1].failure = Reason.DNS
                self.assertEqual(client.get(path, headers={"Cache-Control": "no-cache"}).status_code, 503)
                self.checks[1].failure = None
                self.assertEqual(client.get(path, headers={"Cache-Control": "no-cache"}).status_code, 200)
                for check, runs in zip(self.checks, before, strict=True):
                    self.assertGreaterEqual(check.runs, runs + 2)

    def test_requests_that_wait_are_answered_at_once_when_draining_begins(self):
        app = self.start(Timing(interval=60, max_age=0.01, probe_wait=0, timeout=60))
        self.checks[1].release.clear()
        answers = []

        def ask(path):
            answers.append(app.test_client().get(path, headers={"Cache-Control": "no-cache"}).status_code)

        begun = self.checks[1].begun
        threads = [threading.Thread(target=ask, args=(path,)) for path in ("/health", "/health/ready")]
        for thread in threads:
            thread.start()
        self.assertTrue(self.checks[1].wait_for_begun(begun + 1))
        self.assertEqual(answers, [])
        self.watch.release()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(sorted(answers), [200, 503])

    def test_a_check_that_hangs_holds_no_probe_and_is_not_deadly(self):
        client = self.start(Timing(interval=60, max_age=0.01, probe_wait=0.05, timeout=60)).test_client()
        self.checks[1].release.clear()
        began = time.monotonic()
        for _ in range(20):
            self.assertEqual(client.get("/health").status_code, 200)
        self.assertLess(time.monotonic() - began, DEADLINE)
        self.assertLessEqual(self.checks[1].begun, 2)
        self.assertEqual(client.get("/health/live").status_code, 200)


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


class _Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


@contextlib.contextmanager
def wsgiref_server(app):
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Threaded, _Quiet)
    with running(server.serve_forever, server.shutdown), server:
        yield server.server_port


@contextlib.contextmanager
def werkzeug_server(app):
    handler = type("Quiet", (werkzeug.serving.WSGIRequestHandler,), {"log": lambda *_: None})
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler)
    with running(server.serve_forever, server.shutdown):
        yield server.server_port


@contextlib.contextmanager
def waitress_server(app):
    sockets = {}
    server = waitress.server.create_server(app, map=sockets, host="127.0.0.1", port=0, threads=4)

    def stop():
        server.close()  # wakes the loop, which ends with its last socket
        for each in list(sockets.values()):
            each.handle_close()

    def serve():
        with contextlib.suppress(OSError):
            server.run()
        server.task_dispatcher.shutdown()

    with running(serve, stop):
        yield server.effective_port


@contextlib.contextmanager
def running(serve, stop):
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(DEADLINE)


class AnyServerTest(unittest.TestCase):
    def test_answers_are_the_same_under_any_wsgi_server(self):
        app = application(FakeWatch(mongodb=DOWN), required=["mongodb"])
        for server in (wsgiref_server, werkzeug_server, waitress_server):
            with self.subTest(server.__name__), server(app) as port:
                for path in (*PATHS, "/absent"):
                    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
                        self.assert_same(app, port, method, path)

    def assert_same(self, app, port, method, path):
        expected = app.test_client().open(path, method=method)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path)
            response = connection.getresponse()
            self.assertEqual((response.status, response.read()), (expected.status_code, expected.data))
            for name in ("Content-Type", "Cache-Control", "Content-Length", "Allow"):
                if method == "HEAD" and name == "Content-Length":
                    continue  # waitress leaves it out
                self.assertEqual(response.headers[name], expected.headers.get(name), (method, path, name))
