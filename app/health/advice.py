"""Advice where the way in which probers ask is at odds with a setting, theirs or ours: a closed list of five codes."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.health.answers import HEALTH, LIVE, READY
from app.health.prober_kinds import BALANCERS, CODE_READERS, KUBELET
from app.health.probers import FLOOD_RATE, Probers, Seen

# A prober is judged no sooner.
LEAST_SECONDS = 60.0
LEAST_REQUESTS = 10

log = logging.getLogger(__name__)


class Advice(NamedTuple):
    """`code` is a word of a closed list, `evidence` a sentence with the numbers seen."""

    code: str
    evidence: str
    do: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that probers can be at odds with; times in seconds."""

    drain: float
    unhealthy_status_code: int
    probe_wait: float


def advise(seen: Iterable[Seen], live_asked: bool, limits: Limits) -> list[Advice]:
    """What to do about these probers, one piece of advice for each code, about the prober that shows it most clearly.

    `live_asked`: whether anything has asked for liveness since the start.
    """
    judged = [each for each in seen if each.known_seconds >= LEAST_SECONDS and each.count >= LEAST_REQUESTS]
    found = (
        None if live_asked else _liveness_on_health(judged),
        _prober_gives_up(judged, limits.probe_wait),
        _drain_too_short(judged, limits.drain),
        _code_says_nothing(judged) if limits.unhealthy_status_code == 200 else None,
        _flood(judged),
    )
    return [advice for advice in found if advice is not None]


class Advisor:
    """Gives advice about the probers of a table, and logs each code once."""

    def __init__(self, probers: Probers, limits: Limits) -> None:
        self._probers = probers
        self._limits = limits
        self._logged: set[str] = set()  # used by the thread that calls `tick`

    def facts(self) -> dict[str, Any]:
        """`probers` and `advice`, as in `/health/details`."""
        seen = self._probers.seen()
        return {
            "probers": [each.facts() for each in seen],
            "advice": [advice._asdict() for advice in self._advise(seen)],
        }

    def tick(self) -> None:
        """Log the advice whose code has not been logged yet; call it now and then."""
        for code, evidence, do in self._advise(self._probers.seen()):
            if code not in self._logged:
                self._logged.add(code)
                log.warning("%s: %s: %s", code, evidence, do)

    def _advise(self, seen: Iterable[Seen]) -> list[Advice]:
        return advise(seen, self._probers.has_been_asked(LIVE), self._limits)


def _liveness_on_health(judged: Iterable[Seen]) -> Advice | None:
    prober = _most((each for each in judged if each.kind == KUBELET and each.route == HEALTH), lambda each: each.count)
    if prober is None:
        return None
    return Advice(
        "liveness_on_health",
        f"{_name(prober)} has asked {HEALTH} {prober.count} times, and nothing has asked {LIVE}",
        f"point livenessProbe at {LIVE}: a restart does not repair a dependency",
    )


def _prober_gives_up(judged: Iterable[Seen], probe_wait: float) -> Advice | None:
    prober = _most((each for each in judged if each.abandoned), lambda each: each.abandoned or 0)
    if prober is None:
        return None
    soonest = "" if prober.abandoned_after_ms is None else f", the soonest after {prober.abandoned_after_ms} ms"
    return Advice(
        "prober_gives_up",
        f"{_name(prober)} has abandoned {prober.abandoned} of its {prober.count} requests for {prober.route}{soonest};"
        f" PROBE_WAIT_SECONDS is {probe_wait:g}",
        "raise its timeout above PROBE_WAIT_SECONDS, or lower that",
    )


def _drain_too_short(judged: Iterable[Seen], drain: float) -> Advice | None:
    asking = (each for each in judged if each.kind in BALANCERS and each.route == READY)
    prober = _most(asking, lambda each: -_period(each))
    if prober is None or _period(prober) <= drain:
        return None
    return Advice(
        "drain_too_short",
        f"{_name(prober)} asks {READY} every {_period(prober):g} s, and DRAIN_SECONDS is {drain:g}",
        "raise DRAIN_SECONDS, or its rate",
    )


def _code_says_nothing(judged: Iterable[Seen]) -> Advice | None:
    asking = (each for each in judged if each.kind in CODE_READERS and each.route == HEALTH)
    prober = _most(asking, lambda each: each.count)
    if prober is None:
        return None
    return Advice(
        "code_says_nothing",
        f"{_name(prober)} has asked {HEALTH} {prober.count} times and reads only the status code, which is always 200",
        "set UNHEALTHY_STATUS_CODE=503",
    )


def _flood(judged: Iterable[Seen]) -> Advice | None:
    prober = _most((each for each in judged if each.flood_rate > FLOOD_RATE), lambda each: each.flood_rate)
    if prober is None:
        return None
    return Advice(
        "flood",
        f"{_name(prober)} has asked {prober.route} {prober.flood_rate:.0f} times a second for a minute or longer",
        "lower its rate",
    )


def _most(probers: Iterable[Seen], measure: Callable[[Seen], float]) -> Seen | None:
    return max(probers, key=measure, default=None)


def _period(prober: Seen) -> float:
    """Seconds; a prober that is judged has asked more than once."""
    return (prober.period_ms or 0.0) / 1000


def _name(prober: Seen) -> str:
    """`kubelet 10.0.0.7 (kube-probe/1.31)`."""
    return f"{prober.kind} {prober.address}" + (f" ({prober.product})" if prober.product else "")
