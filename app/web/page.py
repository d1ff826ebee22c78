"""What the status page says: the details that programs get, in words. Pure; static/render.js says the same.

details -> page -> templates/status_page.html
"""

from collections.abc import Mapping
from math import floor
from typing import Any, NamedTuple

from app.health.record import CONNECTED
from app.health.report import HEALTHY
from app.net.reason import Reason
from app.web.page_charts import Sparkline, Timeline, sparkline, timeline
from app.web.page_times import Moment, moment, span

NAMES = {"mongodb": "MongoDB", "ai_service": "AI service"}
LISTED_CHANGES = 8
PLAIN_WORDS = {
    Reason.PENDING: "not checked yet",
    Reason.STALE: "no check has ended for too long",
    Reason.TIMEOUT: "no answer within {timeout:g} s",
    Reason.REFUSED: "connection refused",
    Reason.CLOSED: "connection closed without an answer",
    Reason.UNREACHABLE: "host unreachable",
    Reason.DNS: "its name cannot be resolved",
    Reason.TLS: "TLS handshake failed",
    Reason.AUTH: "credentials not accepted",
    Reason.NO_PRIMARY: "no primary in the replica set",
    Reason.HTTP_STATUS: "answer is not 200 OK",
    Reason.REDIRECT: "answer is a redirect",
    Reason.PROTOCOL: "answer not understood",
    Reason.ERROR: "unexpected error, see the log",
}


class ListedChange(NamedTuple):
    at: Moment
    status: str
    reason: str


class Dependency(NamedTuple):
    """One dependency; a moment that has not come yet is None."""

    id: str
    name: str
    status: str
    reason: str
    since: Moment
    held: Moment
    latency: str
    spark: Sparkline
    spark_text: str
    strip: Timeline
    strip_text: str
    strip_since: Moment
    last_success: Moment | None
    checked: Moment | None
    changes: list[ListedChange]
    changes_text: str


class Upstream(NamedTuple):
    id: str
    state: str
    since: Moment
    attempts: str


class Page(NamedTuple):
    title: str
    service: str
    version: str
    uptime: Moment
    status: str
    summary: str
    since: Moment
    held: Moment
    draining: bool
    dependencies: list[Dependency]
    by_state: dict[str, int]
    upstreams: list[Upstream]
    clients: str
    as_of: Moment
    as_of_clock: Moment


def reason_words(timeout: float) -> dict[str, str]:
    """Every reason in plain words, by its own word; `timeout` is the deadline of a check in seconds."""
    return {reason.value: words.format(timeout=timeout) for reason, words in PLAIN_WORDS.items()}


def page(details: Mapping[str, Any], words: Mapping[str, str]) -> Page:
    """The page for what `/health/details` says; `words` are those of `reason_words`."""
    now = details["timestamp"]
    checks = details["checks"]
    down = [name for name, check in checks.items() if check["status"] != CONNECTED]
    healthy = details["status"] == HEALTHY
    # Healthy since the last one came back; unhealthy at least since the first of those that are down went.
    since = (
        max((check["since"] for check in checks.values()), default=details["started_at"])
        if healthy
        else min(checks[name]["since"] for name in down)
    )
    inbound = details["connections"]["inbound"]
    verdict = details["status"] if healthy else f"{details['status']}: {', '.join(map(_name, down))}"
    return Page(
        title=f"{verdict} · {details['service']}",
        service=details["service"],
        version=details["version"],
        uptime=moment(details["started_at"], now, "age"),
        status=details["status"],
        summary=" ".join(f"{_name(name)} is disconnected: {words[checks[name]['reason']]}." for name in down)
        or "Every dependency is connected.",
        since=moment(since, now, "clock"),
        held=moment(since, now, "age"),
        draining=details["draining"],
        dependencies=[_dependency(name, check, now, words) for name, check in checks.items()],
        by_state=details["connections"]["by_state"],
        upstreams=[_upstream(each, now) for each in details["connections"]["outbound"]],
        clients=f"{inbound['open']} of {inbound['cap']} places taken, {inbound['refused']} refused",
        as_of=moment(now, now, "ago"),
        as_of_clock=moment(now, now, "clock"),
    )


def _dependency(name: str, check: Mapping[str, Any], now: int, words: Mapping[str, str]) -> Dependency:
    changes = check["changes"]
    strip = timeline(changes, now)
    listed = [
        ListedChange(moment(change["at"], now, "clock"), change["status"], words.get(change["reason"], ""))
        for change in reversed(changes[-LISTED_CHANGES:])
    ]
    return Dependency(
        id=name,
        name=_name(name),
        status=check["status"],
        reason=words.get(check["reason"], ""),
        since=moment(check["since"], now, "clock"),
        held=moment(check["since"], now, "age"),
        latency=_latency(check["latency_ms"]) if check["status"] == CONNECTED else "none",
        spark=sparkline(check["history"]),
        spark_text=_spark_text(check["history"]),
        strip=strip,
        strip_text=_strip_text(strip),
        strip_since=moment(strip.since, now, "clock"),
        last_success=_moment_or_none(check["last_success"], now),
        checked=_moment_or_none(check["checked_at"], now),
        changes=listed,
        changes_text=_changes_text(len(listed), len(changes)),
    )


def _upstream(facts: Mapping[str, Any], now: int) -> Upstream:
    attempts = facts["attempts"]
    return Upstream(
        id=facts["id"],
        state=facts["state"],
        since=moment(facts["since"], now, "age"),
        attempts=_counted(attempts, "failed attempt") if attempts else "",
    )


def _name(dependency: str) -> str:
    return NAMES.get(dependency, dependency.replace("_", " "))


def _moment_or_none(at: int | None, now: int) -> Moment | None:
    return None if at is None else moment(at, now, "ago")


def _latency(milliseconds: float) -> str:
    """With one digit after the point below 10 ms; rounded as JavaScript rounds."""
    if milliseconds >= 10:
        return f"{floor(milliseconds + 0.5)} ms"
    tenths = floor(milliseconds * 10 + 0.5)
    return f"{tenths // 10}.{tenths % 10} ms" if tenths else "under 0.1 ms"


def _spark_text(history: list[dict[str, Any]]) -> str:
    took = [each["latency_ms"] for each in history if each["status"] == CONNECTED]
    failed = len(history) - len(took)
    if not took:
        return f"{_counted(failed, 'check')}, none succeeded" if failed else "no check has ended yet"
    text = f"{_counted(len(history), 'check')}, {_latency(min(took))} to {_latency(max(took))}"
    return f"{text}, {failed} failed" if failed else text


def _strip_text(strip: Timeline) -> str:
    if not strip.up and not strip.down:
        return "nothing known yet"
    if not strip.downs:
        return "connected all the time"
    times = "once" if strip.downs == 1 else f"{strip.downs} times"
    return f"disconnected {times}, {span(strip.down_ms)} in all"


def _changes_text(listed: int, known: int) -> str:
    return _counted(known, "change") if listed == known else f"last {listed} of {known} changes"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
