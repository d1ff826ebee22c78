"""What the service needs of gunicorn's configuration, wherever it was set, and of the descriptor limit."""

import resource
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# Beside connections: listeners, pipes, logs, the dependencies' sockets, and what libraries open for a moment.
OTHER_DESCRIPTORS = 64
SPARE_CONNECTIONS = 100


def complaints(cfg: Any, threads: int) -> list[str]:
    """One line for each setting of gunicorn that the service cannot run with.

    `cfg` is gunicorn's Config, `threads` how many threads are needed.
    """
    tls = "must not be set: TLS belongs to the proxy in front"
    demands = [
        (
            "workers",
            cfg.workers == 1,
            "must be 1: connections and the truth are kept in one process; for more capacity add replicas",
        ),
        ("preload_app", not cfg.preload_app, "must be off: threads do not survive a fork"),
        ("worker_class", issubclass(cfg.worker_class, ThreadWorker), "must be left to WORKER_CLASS: probe or gthread"),
        (
            "threads",
            cfg.threads >= threads,
            f"must be left to WS_MAX_CONNECTIONS + HTTP_THREADS, or be more than their {threads}",
        ),
        (
            "worker_connections",
            cfg.worker_connections >= cfg.threads + SPARE_CONNECTIONS,
            f"must be threads + {SPARE_CONNECTIONS} or more: {cfg.threads + SPARE_CONNECTIONS}",
        ),
        ("bind", not any(isinstance(address, str) for address in cfg.address), "must be TCP, not a unix socket"),
        ("certfile", not cfg.certfile, tls),
        ("keyfile", not cfg.keyfile, tls),
        ("protocol", cfg.protocol == "http", "must be http"),
        ("proxy_protocol", cfg.proxy_protocol == "off", "must be off"),
        ("http_protocols", cfg.http_protocols == ["h1"], "must be h1"),
        ("http2_cleartext", cfg.http2_cleartext == "off", "must be off"),
    ]
    return [f"gunicorn's {name}: {demand}" for name, met, demand in demands if not met]


def raise_descriptor_limit(needed: int) -> list[str]:
    """Have `needed` descriptors allowed to this process, if its hard limit does; one line if it does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard):
        hard = max(needed, soft)
    if hard < needed:
        return [f"descriptor limit (ulimit -n): must be {needed} or more, not {hard}"]
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return []
