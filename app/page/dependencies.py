"""What the page shows of one dependency: its record in words and a chart. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from app.health.formats import span
from app.health.meanings import MEANINGS, Meaning
from app.health.record import CHANGES, CONNECTED, PENDING, STALE, CheckEntry, Record
from app.net.reason import Reason
from app.page.charts import Chart, Period, chart, periods
from app.page.times import Moment

CERTIFICATE_NEAR_MS = 14 * 24 * 60 * 60 * 1000
"""As long before as docs/alerts.yml has it."""


class ListedChange(NamedTuple):
    at: Moment
    status: str
    reason: str


class Shown(NamedTuple):
    """One dependency; `meaning` is None if it is connected, `last_success` until there is one.

    `notes` are what deserves a look although it changes no status: doubt, and a certificate that expires soon.
    `latency` is that of the last check that succeeded. `changes` are the last ones, the newest first.
    """

    record: Record
    since: Moment
    reason: str
    detail: str
    meaning: Meaning | None
    notes: list[str]
    latency: str
    chart: Chart
    checks: str
    availability: str
    last_success: Moment | None
    changes: list[ListedChange]
    changes_text: str


def shown(record: Record, begin: int, now: int, most_changes: int) -> Shown:
    """A record at `now`, with a chart that begins at `begin` and at most so many changes."""
    known = periods(record.changes, now)
    changes = record.changes[1:]  # the first state is not a change
    listed = changes[: -most_changes - 1 : -1] if most_changes else ()
    return Shown(
        record=record,
        since=Moment(record.since, now),
        reason=plain_words(record, record.reason),
        detail=_detail(record),
        meaning=MEANINGS[record.reason] if record.reason else None,
        notes=[*_doubt(record), *_certificate(record.certificate_expires_at, now)],
        latency=next((_latency(each.latency_ms) for each in reversed(record.history) if each.status == CONNECTED), ""),
        chart=chart(record.history, known, begin, now),
        checks=_checks(record.history),
        availability=_availability(known, complete=len(record.changes) < CHANGES),
        last_success=None if record.last_success is None else Moment(record.last_success, now),
        changes=[ListedChange(Moment(each.at, now), each.status, plain_words(record, each.reason)) for each in listed],
        changes_text=_changes(len(listed), len(changes)),
    )


def plain_words(record: Record, reason: Reason | None) -> str:
    """What a reason means for a dependency; empty for None, the reason of one that is connected."""
    if reason is Reason.TIMEOUT:
        return f"no answer within {record.dependency.timing.timeout:g} s"
    return "" if reason is None else MEANINGS[reason].words


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _detail(record: Record) -> str:
    """The detail, unless the words of the reason say the same."""
    if record.cause is None or record.cause in (PENDING, STALE):
        return ""
    reason, detail = record.cause
    return "" if detail in (plain_words(record, reason), MEANINGS[reason].words) else detail


def _doubt(record: Record) -> list[str]:
    """How far the results are from changing the status that they contradict. A stale result contradicts nothing."""
    if not record.in_doubt or record.reason is Reason.STALE:
        return []
    dependency = record.dependency
    if record.connected:
        return [f"in doubt: {record.consecutive_failures} of {dependency.failures} failed checks in a row"]
    return [f"in doubt: {record.consecutive_successes} of {dependency.successes} successful checks in a row"]


def _certificate(expires: int | None, now: int) -> list[str]:
    if expires is None or expires - now >= CERTIFICATE_NEAR_MS:
        return []
    when = f"expires in {span(expires - now)}" if expires > now else f"expired {span(now - expires)} ago"
    return [f"certificate {when}, on {Moment(expires, now).title}"]


def _latency(milliseconds: float) -> str:
    """With one decimal place below 10 ms."""
    if milliseconds < 0.05:
        return "under 0.1 ms"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"


def _checks(history: Sequence[CheckEntry]) -> str:
    took = [each.latency_ms for each in history if each.status == CONNECTED]
    failed = len(history) - len(took)
    if not took:
        return f"{counted(failed, 'check')}, none succeeded" if failed else "no check has ended yet"
    quickest, slowest = _latency(min(took)), _latency(max(took))
    text = f"{counted(len(history), 'check')}, {quickest}"
    text += f" to {slowest}" if slowest != quickest else ""
    return f"{text}, {failed} failed" if failed else text


def _availability(known: Sequence[Period], complete: bool) -> str:
    """The share of time connected, and the outages that are over; the present one is shown with its clock.

    `complete`: the periods begin with the first result since the start.
    """
    if not known:
        return ""
    length = known[-1].end - known[0].begin
    scope = "since the start" if complete else f"in the last {span(length)}"
    outages = [each for each in known if not each.connected]
    if not outages:
        return f"connected all the time {scope}"
    if len(outages) == len(known):
        return f"never connected {scope}"
    connected = 1 - sum(each.end - each.begin for each in outages) / max(1, length)
    # 100 % would deny the outages, 0 % that it was connected.
    text = f"connected {min(max(100 * connected, 0.1), 99.9):.1f} % of the time {scope}"
    over = [each for each in outages if each is not known[-1]]
    if not over:
        return text
    times = "once" if len(over) == 1 else f"{len(over)} times"
    lasted = span(sum(each.end // 1000 - each.begin // 1000 for each in over) * 1000)
    before = "" if known[-1].connected else " before"
    return f"{text}, disconnected {times}{before}, for {lasted}" + (" in total" if len(over) > 1 else "")


def _changes(listed: int, known: int) -> str:
    return counted(known, "change") if listed == known else f"last {listed} of {known} changes"
