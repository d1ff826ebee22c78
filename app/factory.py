"""The one place where the parts meet."""

import time
from typing import Any

import certifi
from flask import Flask

from app.checks.check import Check
from app.checks.http import HttpCheck
from app.checks.mongodb import MongoDbCheck
from app.connections.backoff import Backoff
from app.connections.dialler import Dialler
from app.connections.monitor import Monitor
from app.connections.outbound import OUTCOMES, Outbound
from app.connections.registry import Registry
from app.connections.upstreams import create_upstreams
from app.health.answers import ProbeAnswers
from app.health.checker_state import Step
from app.health.report import Identity
from app.health.state_log import StateLog
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.logs.setup import dropped_lines
from app.metrics import Metrics
from app.net.resolver import Resolver
from app.runtime import Runtime
from app.settings import Settings
from app.tally import Tally
from app.web import access, error_handlers, security_headers
from app.web.feed import Feed
from app.web.health_routes import create_health_blueprint
from app.web.metrics_routes import create_metrics_blueprint
from app.web.page_routes import create_page_blueprint
from app.web.websocket_routes import create_websocket_blueprint

EXTENSION = "server_health"
ANSWERS = "server_health_answers"


def create_app(settings: Settings) -> Flask:
    """Assemble the service. Nothing runs before `runtime_of(app).start()`."""
    watch = _watch(settings)
    registry = Registry(settings.ws_max_connections)
    monitor = Monitor(registry, interval=settings.sweep_interval_seconds)
    reconnects = Tally(OUTCOMES)
    runtime = Runtime(watch, registry, monitor, _upstreams(settings, reconnects))
    answers = ProbeAnswers(
        settings.unhealthy_status_code, settings.readiness_requires, runtime.ailing_threads, lambda: runtime.draining
    )
    metrics = Metrics(
        watch,
        registry,
        monitor,
        reconnects=reconnects,
        probes=answers.counts,
        turned_away=runtime.turned_away,
        draining=lambda: runtime.draining,
        dropped_lines=dropped_lines,
    )
    token = settings.status_token.get_secret_value()
    app = Flask("app", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # GET and HEAD are all there is
    app.extensions[EXTENSION] = runtime
    app.extensions[ANSWERS] = answers
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": settings.ws_ping_interval_seconds}
    access.init_app(app, token)
    error_handlers.init_app(app)
    security_headers.init_app(app)
    app.register_blueprint(create_health_blueprint(watch, answers, runtime.facts))
    app.register_blueprint(create_metrics_blueprint(metrics))
    app.register_blueprint(create_page_blueprint(watch, runtime.facts, settings.check_timeout_seconds))
    app.register_blueprint(
        create_websocket_blueprint(_feed(runtime), registry, watch.follow, token, settings.ws_allowed_origins)
    )
    return app


def runtime_of(app: Flask) -> Runtime:
    """The running parts behind an application of `create_app`."""
    runtime: Runtime = app.extensions[EXTENSION]
    return runtime


def answers_of(app: Flask) -> ProbeAnswers:
    """The answers to probes of an application of `create_app`."""
    answers: ProbeAnswers = app.extensions[ANSWERS]
    return answers


def _watch(settings: Settings) -> HealthWatch:
    timeout = settings.check_timeout_seconds
    ca_bundle = settings.ca_bundle or certifi.where()
    checks: list[Check] = [
        MongoDbCheck("mongodb", settings.mongo_uri.get_secret_value(), timeout),
        HttpCheck(
            "ai_service", settings.ai_service_url.get_secret_value().rstrip("/") + "/health", ca_bundle, Resolver()
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


def _upstreams(settings: Settings, reconnects: Tally[str]) -> list[Outbound]:
    dialler = Dialler(
        timeout=settings.dial_timeout_seconds,
        ping_interval=settings.ws_ping_interval_seconds,
        ca_bundle=settings.ca_bundle or None,
    )
    backoff = Backoff(
        base=settings.reconnect_backoff_seconds,
        max_attempts=settings.reconnect_max_attempts,
        cooldown=settings.reconnect_cooldown_seconds,
    )
    named = [(each.name, each.url.get_secret_value()) for each in settings.ws_upstreams]
    return create_upstreams(named, dialler, backoff, reconnects=reconnects)


def _feed(runtime: Runtime) -> Feed:
    """The feed, published at every change that it reports."""

    def facts() -> dict[str, Any]:
        report = runtime.watch.current()
        return {**report.health(int(time.time() * 1000)), "draining": runtime.draining}

    def publish_step(step: Step) -> None:
        if step.after.reason is not step.before.reason:
            feed.publish()

    feed = Feed(facts)
    runtime.watch.listen(publish_step)
    runtime.registry.subscribe(lambda _connection, _state: feed.publish())
    runtime.monitor.subscribe(feed.publish)
    runtime.on_drain(feed.publish)
    return feed
