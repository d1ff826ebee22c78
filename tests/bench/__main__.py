"""Measures in interleaved rounds; prints tables of medians. See bin/bench."""

import argparse
import os
import platform
import shutil
import statistics
import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from tests.bench import caches, processes, tables
from tests.bench.load import probe_beside_a_crowd, wrk
from tests.peers.ports import free_port

SERVICE = ("--config", "python:app.serving.gunicorn_conf")
STOCK = ("--worker-class", "gthread", "--threads", "128", "--no-control-socket", "--bind")
CONNECTIONS = (1, 16, 64)
WORKERS = {"service": "probe", "service on gthread": "gthread"}
BARE = {tables.REFERENCE: "flask_app", "bare WSGI on gthread": "wsgi_app"}
DELAYS = {"0 ms": 0.0, "20 ms": 0.02, "hung": 3600.0}
OTHER = "other "
CROWD = {"websockets": 96, "slow": 32, "idle": 200, "half": 200, "lingering": 20}


def service(mongo_uri, ai_port, worker_class, app="app.wsgi:app", root=processes.ROOT):
    port = free_port()
    environ = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "MONGO_URI": mongo_uri,
        "AI_SERVICE_URL": f"http://127.0.0.1:{ai_port}",
        "WORKER_CLASS": worker_class,
        "DRAIN_SECONDS": "0",
    }
    return processes.gunicorn(app, port, environ, *SERVICE, root=root)


def bare(name):
    port = free_port()
    return processes.gunicorn(f"tests.bench.bare:{name}", port, {}, *STOCK, f"127.0.0.1:{port}")


def measure(args, results):
    """Throughput of every server at every number of connections, in turn, `args.rounds` times."""
    with processes.mongodb() as mongo_uri:
        for title, delay in DELAYS.items():
            with ExitStack() as stack:
                servers = {}
                for name, worker_class in WORKERS.items():
                    ai_port = stack.enter_context(processes.ai_service(delay))
                    servers[name] = stack.enter_context(service(mongo_uri, ai_port, worker_class)), ai_port
                    if args.beside and delay == 0.0:
                        other = service(mongo_uri, ai_port, worker_class, root=args.beside)
                        servers[OTHER + name] = stack.enter_context(other), ai_port
                if delay == 0.0:
                    for name, app in BARE.items():
                        servers[name] = stack.enter_context(bare(app)), None
                for _ in range(args.rounds):
                    for connections in CONNECTIONS:
                        for name, (server, ai_port) in servers.items():
                            tables.say(f"{title}, {connections} connections, {name}")
                            run = one(server, ai_port, connections, args.seconds)
                            results["runs"].append({"server": name, "dependencies": title, **run})


def one(server, ai_port, connections, seconds):
    """One run of one server, with the number of checks a second that its AI service got."""
    before = asked(ai_port)
    figures = wrk(server.port, connections, seconds)
    checks = (asked(ai_port) - before) / figures["seconds"]
    return figures | {"connections": connections, "checks": checks, "rss": server.rss, "startup": server.startup}


def asked(ai_port):
    return int(processes.get(ai_port, "/count")) if ai_port else 0


def crowding_out(results):
    """Probes beside a crowd that holds every thread, on both workers."""
    with processes.mongodb() as mongo_uri, processes.ai_service(0.0) as ai_port:
        for name, worker_class in WORKERS.items():
            tables.say(f"crowding out, {name}")
            with service(mongo_uri, ai_port, worker_class, "tests.bench.slow:app") as server:
                results["crowd"][name] = probe_beside_a_crowd(server.port, 1000, 5.0, **CROWD)


def main():
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the medians are reported (3)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of one run of wrk (3)")
    parser.add_argument("--beside", type=Path, help="another checkout of the service, measured in the same rounds")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bin/bench: wrk is missing: apt-get install wrk")
    results = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ("servers pinned to one core, load to another" if processes.PINNED else "nothing pinned"),
        "runs": [],
        "crowd": {},
    }
    measure(args, results)
    crowding_out(results)
    results["medians"] = tables.medians(results["runs"], statistics.median)
    results["caches"] = caches.measure()
    results["beside"] = tables.beside(results["runs"], statistics.median, OTHER)
    print(tables.markdown(results))


if __name__ == "__main__":
    main()
