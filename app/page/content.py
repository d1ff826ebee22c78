"""What the status page shows. Pure.

report -> page -> templates/status_page.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.health.meanings import MEANINGS
from app.health.record import Record
from app.health.report import DEGRADED, HEALTHY, Identity, Report
from app.net.reason import Reason
from app.page.charts import WINDOW_MS, window
from app.page.dependencies import Shown, counted, shown
from app.page.probers import Probers, probers
from app.page.times import Moment

CHANGES_EACH, CHANGES_TOGETHER = 8, 12
FULL = 4
"""At most this many cards are shown in full. In a larger outage the others are brief, so that the page stays small."""
SENTENCES = 2
"""Up to this many dependencies that are down have a sentence each; of more, the titles are listed."""
NAMED = 4
"""Up to this many titles are listed; of more, the first ones and a count."""
UPSTREAM_STATES = ("failed", "reconnecting", "connecting", "connected", "closed")


class Upstream(NamedTuple):
    id: str
    state: str
    reason: str
    since: Moment
    attempts: str


class Page(NamedTuple):
    """All that the template shows; the worst first.

    `since` is when the verdict began to hold, `unknown` whether nothing has been checked yet. `seats` is whether the feed
    has a place for one more client.
    """

    title: str
    identity: Identity
    software: Mapping[str, str]
    started: Moment
    verdict: str
    unknown: bool
    summary: str
    since: Moment
    draining: bool
    down: list[Shown]
    full: int
    up: list[Shown]
    window: str
    advice: Sequence[Mapping[str, str]]
    upstreams: list[Upstream]
    clients: str
    seats: bool
    probers: Probers
    as_of: Moment


def page(report: Report, facts: Mapping[str, Any], now: int) -> Page:
    """The page at `now` (Unix milliseconds) for a report and the `facts` that `/health/details` adds to it."""
    started = facts["started_at"]
    dependencies = _dependencies(report, window(started, now), now)
    down = [each for each in dependencies if not each.record.connected]
    titles = [each.record.dependency.title for each in down]
    unknown = all(record.reason is Reason.PENDING for record in report.records)
    inbound = facts["connections"]["inbound"]
    return Page(
        title=f"{report.verdict}{': ' if titles else ''}{_some(titles)} · {report.identity.service}",
        identity=report.identity,
        software=facts["software"],
        started=Moment(started, now),
        verdict=report.verdict,
        unknown=unknown,
        summary="No check has ended yet." if unknown else _summary(down, len(dependencies)),
        since=Moment(_since(report, started), now),
        draining=facts["draining"],
        down=down,
        full=FULL,
        up=[each for each in dependencies if each.record.connected],
        window="last 24 h" if now - started >= WINDOW_MS else "since the start",
        advice=facts["advice"],
        upstreams=_upstreams(facts["connections"]["outbound"], now),
        clients=f"{inbound['open']} of {inbound['cap']} places taken, {inbound['refused']} refused",
        seats=inbound["open"] < inbound["cap"],
        probers=probers(facts["probers"], now),
        as_of=Moment(now, now),
    )


def _dependencies(report: Report, begin: int, now: int) -> list[Shown]:
    """Worst first: after those that are disconnected, those with a note. The first ones list most changes."""
    left, dependencies = CHANGES_TOGETHER, []
    for record in report.worst_first():
        each = shown(record, begin, now, min(CHANGES_EACH, left))
        left -= len(each.changes)
        dependencies.append(each)
    return sorted(dependencies, key=lambda each: each.record.connected and not each.notes)


def _since(report: Report, started: int) -> int:
    """When the verdict began to hold."""
    required = [record for record in report.records if record.dependency.required]
    optional = [record for record in report.records if not record.dependency.required]
    if report.verdict == HEALTHY:
        return max((record.since for record in report.records), default=started)
    if report.verdict == DEGRADED:
        return max([_first_failure(optional), *(record.since for record in required)])
    return _first_failure(required)


def _first_failure(records: Sequence[Record]) -> int:
    """The beginning of the oldest of the present failures."""
    return min(record.since for record in records if not record.connected)


def _summary(down: Sequence[Shown], known: int) -> str:
    if not down:
        return "Every dependency is connected."
    if len(down) > SENTENCES:
        titles = [each.record.dependency.title for each in down]
        return f"{len(down)} of {known} dependencies are disconnected: {_some(titles)}."
    return " ".join(_sentence(each) for each in down)


def _sentence(each: Shown) -> str:
    dependency = each.record.dependency
    optional = "" if dependency.required else ", which is optional,"
    return f"{dependency.title}{optional} is disconnected: {each.reason}."


def _some(titles: Sequence[str]) -> str:
    """The titles; of many, the first ones and how many more there are."""
    named = list(titles) if len(titles) <= NAMED else [*titles[: NAMED - 1], f"{len(titles) - NAMED + 1} more"]
    return " and ".join([", ".join(named[:-1]), *named[-1:]] if named[1:] else named)


def _upstreams(facts: Sequence[Mapping[str, Any]], now: int) -> list[Upstream]:
    """The upstreams, the worst first."""
    ordered = sorted(facts, key=lambda each: (UPSTREAM_STATES.index(each["state"]), each["id"]))
    return [
        Upstream(
            id=each["id"],
            state=each["state"],
            reason=_upstream_reason(each["reason"]),
            since=Moment(each["since"], now),
            attempts=counted(each["attempts"], "failed attempt") if each["attempts"] else "",
        )
        for each in ordered
    ]


def _upstream_reason(reason: str | None) -> str:
    """Its words; empty while it is connected, or dialled for the first time."""
    return "" if reason is None or reason == Reason.PENDING else MEANINGS[Reason(reason)].words
