"""The loads: wrk for throughput, and a crowd of connections beside which probes are sent."""

import json
import socket
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from websockets.sync.client import connect

from tests.bench.processes import LOAD_CORE, pinned

SCRIPT = Path(__file__).with_name("wrk.lua")
PROBE = b"GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


def wrk(port, connections, seconds):
    """One run of wrk; requests/s and latencies in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}/health"]
    run = subprocess.run(pinned(LOAD_CORE, command), capture_output=True, text=True, check=True)
    figures = json.loads(run.stdout.splitlines()[-1])
    figures["rate"] = figures["requests"] / figures["seconds"]
    return figures


def crowd(stack, port, websockets, slow, idle, half, lingering):
    """Open that many connections of each kind; `stack` closes them."""
    for _ in range(websockets):
        # Without a limit to what it keeps unread, a client goes on reading, and so notices the answer to its closing.
        address = f"ws://127.0.0.1:{port}/ws"
        stack.enter_context(connect(address, open_timeout=10, ping_interval=None, max_queue=None))
    for _ in range(slow):
        _send(stack, port, b"GET /slow HTTP/1.1\r\nHost: bench\r\n\r\n")
    for _ in range(idle):
        _send(stack, port, b"")
    for _ in range(half):
        _send(stack, port, b"GET /health HTTP/1.1\r\nHost: be")
    for _ in range(lingering):
        _send(stack, port, PROBE)


def _send(stack, port, data):
    sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
    sock.sendall(data)


def probe_beside_a_crowd(port, probes, patience, **crowd_of):
    """Probe on new connections beside a crowd; latencies in milliseconds, and the number of unanswered probes.

    Stops after three probes that were not answered within `patience` seconds.
    """
    times, unanswered = [], 0
    with ExitStack() as stack:
        crowd(stack, port, **crowd_of)
        for _ in range(probes):
            began = time.perf_counter()
            if _probe(port, patience):
                times.append((time.perf_counter() - began) * 1000)
            else:
                unanswered += 1
            if unanswered >= 3:
                break
    return {"probes": len(times) + unanswered, "unanswered": unanswered} | _spread(times)


def _probe(port, patience):
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as sock:
            sock.sendall(PROBE)
            return sock.recv(65536).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def _spread(times):
    if len(times) < 2:
        return {"p50": None, "p99": None, "max": None}
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "max": max(times)}
