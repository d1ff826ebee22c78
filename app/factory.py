"""The one place where the parts meet."""

from flask import Flask

from app.health.ai_service_check import AiServiceCheck
from app.health.answers import ProbeAnswers
from app.health.mongo_check import MongoCheck
from app.health.report import Identity
from app.health.state_log import StateLog
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.runtime import Runtime
from app.settings import Settings
from app.web import error_handlers
from app.web.health_routes import create_health_blueprint

EXTENSION = "server_health"


def create_app(settings: Settings) -> Flask:
    """Assemble the service. Nothing runs yet: that is `runtime_of(app).start()`."""
    watch = _watch(settings)
    runtime = Runtime(watch)
    answers = ProbeAnswers(
        settings.unhealthy_status_code,
        settings.readiness_requires,
        runtime.ailing_threads,
        lambda: runtime.draining,
    )
    app = Flask("app", static_folder=None)
    app.extensions[EXTENSION] = runtime
    app.register_blueprint(create_health_blueprint(watch, answers, runtime.facts))
    error_handlers.init_app(app)
    return app


def runtime_of(app: Flask) -> Runtime:
    """The running parts behind an application of `create_app`."""
    runtime: Runtime = app.extensions[EXTENSION]
    return runtime


def _watch(settings: Settings) -> HealthWatch:
    timeout = settings.check_timeout_seconds
    checks = [
        MongoCheck(settings.mongo_uri.get_secret_value(), timeout),
        AiServiceCheck(
            settings.ai_service_url.get_secret_value(), timeout, settings.ca_bundle or None
        ),
    ]
    timing = Timing(
        interval=settings.check_interval_seconds,
        max_age=settings.check_max_age_seconds,
        probe_wait=settings.probe_wait_seconds,
        timeout=timeout,
    )
    return HealthWatch(
        Identity(settings.service_name, settings.service_version),
        checks,
        timing,
        fresh_waiters=settings.http_threads // 4,
        listeners=[StateLog()],
    )
