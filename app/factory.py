"""The one place where the parts meet."""

import time
from typing import Any

import certifi
from flask import Flask

from app.checks.check import Check, CheckConfig
from app.checks.kinds import kind_of
from app.connections.backoff import Backoff
from app.connections.dialler import Dialler
from app.connections.monitor import Monitor
from app.connections.registry import Registry
from app.connections.target import Target
from app.connections.upstream import OUTCOMES, Upstream
from app.health.advice import Advisor, Limits
from app.health.answers import DETAILS, METRICS, ProbeAnswers
from app.health.checker_state import Step
from app.health.dependency import Dependency
from app.health.probers import Probers
from app.health.report import Identity
from app.health.state_log import StateLog
from app.health.timing import Timing
from app.health.watch import HealthWatch
from app.logs.setup import dropped_lines
from app.metrics import Metrics, Sources
from app.net.resolver import Resolver
from app.runtime import Runtime
from app.settings import Settings
from app.settings.masks import mask
from app.tally import Tally
from app.web import access, error_handlers, security_headers
from app.web.feed import Feed
from app.web.health_routes import create_health_blueprint
from app.web.metrics_routes import create_metrics_blueprint
from app.web.page_routes import create_page_blueprint
from app.web.websocket_routes import create_websocket_blueprint
from app.web.who_asks import WhoAsks

EXTENSION = "server_health"
ANSWERS = "server_health_answers"
PROBERS = "server_health_probers"


def create_app(settings: Settings) -> Flask:
    """Assemble the service. Nothing runs before `runtime_of(app).start()`."""
    addresses = {each.name: mask(each.url.get_secret_value()) for each in settings.dependencies}
    state_log = StateLog(settings.service_name, addresses)
    watch = _watch(settings, state_log)
    registry = Registry(settings.ws_max_connections)
    monitor = Monitor(registry, interval=settings.sweep_interval_seconds)
    reconnects = Tally(OUTCOMES)
    monitor.listen(state_log.tick)
    runtime = Runtime(watch, registry, monitor, _upstreams(settings, reconnects))
    answers = ProbeAnswers(
        watch.dependencies,
        settings.unhealthy_status_code,
        settings.readiness_requires,
        runtime.ailing_threads,
        lambda: runtime.draining,
    )
    probers = Probers([*dict.fromkeys(answers.routes.values()), DETAILS, METRICS])
    advisor = Advisor(
        probers, Limits(settings.drain_seconds, settings.unhealthy_status_code, settings.probe_wait_seconds)
    )
    monitor.listen(advisor.tick)
    sources = Sources(
        watch=watch,
        registry=registry,
        monitor=monitor,
        reconnects=reconnects,
        probes=answers.counts,
        abandoned=probers.abandoned,
        turned_away=runtime.turned_away,
        draining=lambda: runtime.draining,
        dropped_lines=dropped_lines,
    )

    def facts() -> dict[str, Any]:
        return runtime.facts() | advisor.facts()

    token = settings.status_token.get_secret_value()
    app = Flask("app", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # GET and HEAD are all there is
    app.url_map.merge_slashes = False  # /health//ready is 404: a balancer takes a redirect for healthy
    app.extensions[EXTENSION] = runtime
    app.extensions[ANSWERS] = answers
    app.extensions[PROBERS] = probers
    access.init_app(app, token, answers.routes)
    error_handlers.init_app(app)
    app.wsgi_app = WhoAsks(app.wsgi_app, probers, answers.routes)  # type: ignore[method-assign]
    security_headers.init_app(app, answers.routes)
    app.register_blueprint(create_health_blueprint(watch, answers, facts))
    app.register_blueprint(create_metrics_blueprint(Metrics(sources)))
    app.register_blueprint(create_page_blueprint(watch, facts))
    app.register_blueprint(
        create_websocket_blueprint(
            _feed(runtime),
            registry,
            watch.follow,
            settings.ws_ping_interval_seconds,
            token,
            settings.ws_allowed_origins,
        )
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


def probers_of(app: Flask) -> Probers:
    """The probers of an application of `create_app`."""
    probers: Probers = app.extensions[PROBERS]
    return probers


def configured(settings: Settings) -> list[tuple[Dependency, CheckConfig]]:
    """Every dependency that is to be watched, and what its check is made from."""
    resolver = Resolver()
    pairs = []
    for each in settings.dependencies:
        url = each.url.get_secret_value()
        dependency = Dependency(
            each.name,
            kind_of(url).name,
            each.title,
            each.required,
            each.failures,
            each.successes,
            Timing(each.interval, each.max_age, settings.probe_wait_seconds, each.timeout),
            each.affects or "",
            each.runbook_url or "",
        )
        config = CheckConfig(
            each.name,
            url,
            each.timeout,
            settings.ca_bundle or certifi.where(),
            resolver,
            each.statuses,
            each.body_matches,
            {name: value.get_secret_value() for name, value in each.headers.items()},
        )
        pairs.append((dependency, config))
    return pairs


def watched(settings: Settings) -> list[tuple[Dependency, Check]]:
    """Every dependency that is to be watched, and its check."""
    return [(dependency, kind_of(config.url).create(config)) for dependency, config in configured(settings)]


def dialler_of(settings: Settings) -> Dialler:
    """What dials the upstreams."""
    return Dialler(
        settings.dial_timeout_seconds,
        settings.ws_ping_interval_seconds,
        settings.ca_bundle or certifi.where(),
        Resolver(),
    )


def _watch(settings: Settings, state_log: StateLog) -> HealthWatch:
    return HealthWatch(
        Identity(settings.service_name, settings.service_version),
        watched(settings),
        fresh_waiters=settings.http_threads // 4,
        fresh_seconds=settings.check_max_age_seconds + max(each.timeout for each in settings.dependencies),
        listeners=[state_log],
    )


def _upstreams(settings: Settings, outcomes: Tally[str]) -> list[Upstream]:
    dialler = dialler_of(settings)
    backoff = Backoff(
        base=settings.reconnect_backoff_seconds,
        max_attempts=settings.reconnect_max_attempts,
        cooldown=settings.reconnect_cooldown_seconds,
    )
    return [
        Upstream(each.name, Target.parse(each.url.get_secret_value()), dialler, backoff, outcomes)
        for each in settings.ws_upstreams
    ]


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
    runtime.registry.listen(lambda _connection, _state: feed.publish())
    runtime.monitor.listen(feed.publish)
    runtime.on_drain(feed.publish)
    return feed
