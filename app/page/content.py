"""What the status page shows: the report in words and charts. Pure.

report -> page -> templates/status_page.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.health.formats import span
from app.health.meanings import MEANINGS
from app.health.record import CONNECTED, CheckEntry, Record
from app.health.report import Report
from app.net.reason import Reason
from app.page.charts import Sparkline, Timeline, sparkline, timeline
from app.page.times import Moment

LISTED_CHANGES = 8


class ListedChange(NamedTuple):
    at: Moment
    status: str
    reason: str


class Dependency(NamedTuple):
    """One dependency; `last_success` and `checked` are None until there is one."""

    id: str
    name: str
    status: str
    reason: str
    since: Moment
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
    """All that the template shows. `status` and `since` are the verdict's; `by_state` counts connections."""

    title: str
    service: str
    version: str
    started: Moment
    status: str
    summary: str
    since: Moment
    draining: bool
    dependencies: list[Dependency]
    by_state: Mapping[str, int]
    upstreams: list[Upstream]
    clients: str
    as_of: Moment


def page(report: Report, facts: Mapping[str, Any], now: int) -> Page:
    """The page at `now` (Unix milliseconds) for a report and the `facts` that `/health/details` adds to it."""
    down = [record for record in report.records if not record.connected]
    # Healthy since the last recovery; unhealthy since the first of the present failures.
    since = (
        min(record.since for record in down)
        if down
        else max((record.since for record in report.records), default=facts["started_at"])
    )
    status, service = report.verdict, report.identity.service
    inbound = facts["connections"]["inbound"]
    return Page(
        title=f"{status}: {', '.join(each.dependency.title for each in down)} · {service}"
        if down
        else f"{status} · {service}",
        service=service,
        version=report.identity.version,
        started=Moment(facts["started_at"], now),
        status=status,
        summary=" ".join(f"{each.dependency.title} is disconnected: {plain_words(each, each.reason)}." for each in down)
        or "Every dependency is connected.",
        since=Moment(since, now),
        draining=facts["draining"],
        dependencies=[_dependency(record, now) for record in report.records],
        by_state=facts["connections"]["by_state"],
        upstreams=[_upstream(each, now) for each in facts["connections"]["outbound"]],
        clients=f"{inbound['open']} of {inbound['cap']} places taken, {inbound['refused']} refused",
        as_of=Moment(now, now),
    )


def plain_words(record: Record, reason: Reason | None) -> str:
    """What a reason means for a dependency; empty for None, the reason of one that is connected."""
    if reason is Reason.TIMEOUT:
        return f"no answer within {record.dependency.timing.timeout:g} s"
    return "" if reason is None else MEANINGS[reason].words


def _dependency(record: Record, now: int) -> Dependency:
    strip = timeline(record.changes, now)
    listed = record.changes[: -LISTED_CHANGES - 1 : -1]
    return Dependency(
        id=record.name,
        name=record.dependency.title,
        status=record.status,
        reason=plain_words(record, record.reason),
        since=Moment(record.since, now),
        latency=_latency(record.latency_ms) if record.connected and record.latency_ms is not None else "none",
        spark=sparkline(record.history),
        spark_text=_spark_text(record.history),
        strip=strip,
        strip_text=_strip_text(strip),
        strip_since=Moment(strip.since, now),
        last_success=_moment_or_none(record.last_success, now),
        checked=_moment_or_none(record.checked_at, now),
        changes=[ListedChange(Moment(each.at, now), each.status, plain_words(record, each.reason)) for each in listed],
        changes_text=_changes_text(len(listed), len(record.changes)),
    )


def _upstream(facts: Mapping[str, Any], now: int) -> Upstream:
    attempts = facts["attempts"]
    return Upstream(
        id=facts["id"],
        state=facts["state"],
        since=Moment(facts["since"], now),
        attempts=_counted(attempts, "failed attempt") if attempts else "",
    )


def _moment_or_none(at: int | None, now: int) -> Moment | None:
    return None if at is None else Moment(at, now)


def _latency(milliseconds: float) -> str:
    """With one decimal place below 10 ms."""
    if milliseconds < 0.05:
        return "under 0.1 ms"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def _spark_text(history: Sequence[CheckEntry]) -> str:
    took = [each.latency_ms for each in history if each.status == CONNECTED]
    failed = len(history) - len(took)
    if not took:
        return f"{_counted(failed, 'check')}, none succeeded" if failed else "no check has finished yet"
    text = f"{_counted(len(history), 'check')}, {_latency(min(took))} to {_latency(max(took))}"
    return f"{text}, {failed} failed" if failed else text


def _strip_text(strip: Timeline) -> str:
    if not strip.up and not strip.down:
        return "nothing known yet"
    if not strip.downs:
        return "connected all the time"
    times = "once" if strip.downs == 1 else f"{strip.downs} times"
    return f"disconnected {times}, {span(strip.down_ms)} in total"


def _changes_text(listed: int, known: int) -> str:
    return _counted(known, "change") if listed == known else f"last {listed} of {known} changes"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
