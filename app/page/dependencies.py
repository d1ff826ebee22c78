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
    `latency` is that of the last check that succeeded. `share` is that of the time connected since the start; empty if it
    is not known. `changes` are the last ones, the newest first.
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
    share: str
    availability: str
    last_success: Moment | None
    changes: list[ListedChange]
    changes_text: str


def shown(record: Record, begin: int, now: int, most_changes: int) -> Shown:
    """A record at `now`, with a chart that begins at `begin` and at most so many changes."""
    known = periods(record.changes, now)
    complete = len(record.changes) < CHANGES  # otherwise the first ones are forgotten
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
        share=_share(known) if known and complete else "",
        availability=_availability(known, complete),
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
    return [f"certificate {when}, on {Moment(expires, now).utc}"]


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


def _share(known: Sequence[Period]) -> str:
    """The share of time connected. 100 % would deny an outage, and 0 % that it was connected, so neither is rounded to."""
    length = sum(each.end - each.begin for each in known)
    connected = sum(each.end - each.begin for each in known if each.connected)
    if all(each.connected for each in known):
        return "100 %"
    if not any(each.connected for each in known):
        return "0 %"
    return f"{min(max(100 * connected / max(1, length), 0.1), 99.9):.1f} %"


def _availability(known: Sequence[Period], complete: bool) -> str:
    """The share of time connected, and the outages that are over; the present one is shown with its clock.

    `complete`: the periods begin with the first result since the start.
    """
    if not known:
        return ""
    scope = "since the start" if complete else f"in the last {span(known[-1].end - known[0].begin)}"
    text = f"connected {_share(known)} of the time {scope}"
    over = [each for each in known[:-1] if not each.connected]
    if not over:
        return text
    times = "once" if len(over) == 1 else f"{len(over)} times"
    before = "" if known[-1].connected else " before"
    lasted = span(sum(each.end // 1000 - each.begin // 1000 for each in over) * 1000)
    return f"{text}, disconnected {times}{before}, for {lasted}" + (" in total" if len(over) > 1 else "")


def _changes(listed: int, known: int) -> str:
    return counted(known, "change") if listed == known else f"last {listed} of {known} changes"
