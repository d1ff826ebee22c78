"""A report in other formats than our own JSON: for tools of the IETF draft, and for a terminal. Pure."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from app.health.prober_kinds import OTHER
from app.health.record import Record
from app.health.report import Report, to_json

DATASTORES = frozenset({"mongodb", "postgresql", "redis"})
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
WIDTH = 80
INDENT = "  "
MOST_ROWS = 10  # of the probers


def health_json(report: Report) -> bytes:
    """`application/health+json`, as draft-inadarei-api-health-check-06 has it."""
    status = "fail" if not report.healthy else "warn" if report.degraded else "pass"
    return to_json(
        {
            "status": status,
            "version": report.identity.version,
            "serviceId": report.identity.service,
            "checks": {f"{record.name}:responseTime": [_check(record)] for record in report.records},
        }
    )


def _check(record: Record) -> dict[str, Any]:
    dependency = record.dependency
    failed = "fail" if dependency.required else "warn"
    check: dict[str, Any] = {
        "status": "pass" if record.connected else failed,
        "componentType": "datastore" if dependency.kind in DATASTORES else "component",
    }
    if record.latency_ms is not None:
        check |= {"observedValue": record.latency_ms, "observedUnit": "ms"}
    if record.checked_at is not None:
        check["time"] = _rfc3339(record.checked_at)
    if record.cause is not None:
        check["output"] = f"{record.reason}: {record.detail}"
    if dependency.affects:
        check["affectedEndpoints"] = [dependency.affects]
    return check


def _rfc3339(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(report: Report, now: int, facts: Mapping[str, Any]) -> bytes:
    """The details as tables of at most 80 columns, worst first; `now` in Unix milliseconds.

    A name is cut to what the width leaves, a detail stands on a line of its own. Of `facts`, what the details hold
    beside the checks, it shows `advice` and `probers`; scripts tell the lines about these from those about dependencies
    by their indent.
    """
    rows = [("DEPENDENCY", "STATUS", "FOR", "LATENCY", "LAST SUCCESS")]
    details = [""]
    for record in report.worst_first():
        rows.append(
            (
                record.name if record.dependency.required else f"{record.name} (optional)",
                record.status if record.connected else f"{record.status}: {record.reason}",
                span(now - record.since),
                "-" if record.latency_ms is None else f"{record.latency_ms:.1f} ms",
                "never" if record.last_success is None else f"{span(now - record.last_success)} ago",
            )
        )
        details.append(record.detail or "")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] -= max(0, sum(widths) + 2 * (len(widths) - 1) - WIDTH)
    verdict = f" is {report.verdict}"
    lines = [f"{report.identity.service} {report.identity.version}"[: WIDTH - len(verdict)] + verdict]
    for row, detail in zip(rows, details, strict=True):
        cells = [f"{cell[:width]:{width}}" for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
        if detail:
            lines.append(f"  {detail}"[:WIDTH])
    lines += [*_advice(facts["advice"]), *_probers(facts["probers"], now)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _advice(advice: Sequence[Mapping[str, str]]) -> Iterable[str]:
    if advice:
        yield "ADVICE"
    for each in advice:
        for words in (f"{each['code']}: {each['evidence']}", f"-> {each['do']}"):
            yield from textwrap.wrap(words, WIDTH, initial_indent=INDENT, subsequent_indent=2 * INDENT)


def _probers(probers: Sequence[Mapping[str, Any]], now: int) -> Iterable[str]:
    """Those that gave up most often first, then the one most recently seen."""
    if not probers:
        return
    yield "WHO ASKS"
    ranked = sorted(probers, key=lambda each: (-(each["abandoned"] or 0), -each["last_seen"]))
    rows = [("ADDRESS", "PROBER", "ROUTE", "COUNT", "EVERY", "LAST", "SEEN", "GAVE UP")]
    for each in ranked[:MOST_ROWS]:
        rows.append(
            (
                each["address"],
                each["product"] if each["kind"] == OTHER else each["kind"],
                each["route"],
                str(each["count"]),
                "-" if each["period_ms"] is None else distance(each["period_ms"]),
                str(each["last_status"] or "-"),
                f"{span(now - each['last_seen'])} ago",
                "-" if each["abandoned"] is None else str(each["abandoned"]),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while sum(widths) + len(INDENT) * len(widths) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    for row in rows:
        cells = (f"{cell[:width]:{width}}" for cell, width in zip(row, widths, strict=True))
        yield (INDENT + INDENT.join(cells)).rstrip()
    if len(ranked) > MOST_ROWS:
        yield f"{INDENT}and {len(ranked) - MOST_ROWS} more"


def distance(milliseconds: float) -> str:
    """The time between two moments; rounded, unlike an age: 9.99 s between two requests are 10 s."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2g} s" if milliseconds < 9950 else span(round(milliseconds, -3))


def span(milliseconds: float) -> str:
    """A length of time in its two largest units: `5 s`, `3 min 5 s`, `2 h`, `4 d 3 h`; never below zero."""
    seconds = max(0, int(milliseconds // 1000))
    for (size, unit), (smaller, smaller_unit) in pairwise(UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit} {rest} {smaller_unit}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"
