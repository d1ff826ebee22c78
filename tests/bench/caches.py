"""What each speed cache on the way of a probe brings: microseconds of one probe with it and without it."""

from timeit import repeat

from app.checks.tcp import TcpCheck
from app.health.answers import ProbeAnswers
from app.health.dependency import Dependency
from app.health.probers import Probers
from app.health.report import Identity, Report
from app.health.watch import HealthWatch
from app.net.resolver import Resolver
from app.serving import request_head
from app.serving.lane import Lane

HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\n\r\n"
PROBES = 5000


def microseconds(work):
    """The best of seven runs of PROBES calls of `work`, for one call."""
    return min(repeat(work, number=PROBES, repeat=7)) / PROBES * 1e6


def measure():
    """Name of a cache -> (microseconds with it, without it) of what it is part of."""
    watched = [
        (Dependency(name, "tcp", name), TcpCheck(name, "127.0.0.1", 1, Resolver()))
        for name in ("ai_service", "mongodb")
    ]
    watch = HealthWatch(Identity("server", "1.0.0"), watched, fresh_waiters=1, fresh_seconds=6.0)
    answers = ProbeAnswers(watch.dependencies, 503, (), lambda: [], lambda: False)
    lane = Lane(watch, answers, probers := Probers(()), lambda: False)
    prober = probers.find("127.0.0.1", None, "/health")
    request = lane.recognise(HEAD)
    report = watch.current()
    known = watch._known._replace(epoch=watch._epoch, fresh_until=float("inf"))

    def rendered():
        lane._rendered(request, report, prober)

    def rendered_anew():
        lane._heads.clear()
        lane._rendered(request, report, prober)

    def asked():
        watch._known = known
        watch.ask()

    def asked_anew():
        watch._known = known._replace(epoch=object())
        watch.ask()

    def serialised_anew():
        Report(report.identity, report.records).health_json(1)

    return {
        "recognised heads": (
            microseconds(lambda: request_head._recognise(HEAD)),
            microseconds(lambda: request_head._recognise.__wrapped__(HEAD)),
        ),
        "the known report": (microseconds(asked), microseconds(asked_anew)),
        "the report as JSON": (microseconds(lambda: report.health_json(1)), microseconds(serialised_anew)),
        "heads of answers": (microseconds(rendered), microseconds(rendered_anew)),
    }
