"""What the service requires of gunicorn's configuration, wherever it was set, and of the machine."""

import resource
import tempfile
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# Beside connections: listeners, pipes, logs, the dependencies' sockets, and what libraries open for a moment.
OTHER_DESCRIPTORS = 64
SPARE_CONNECTIONS = 100


def complaints(cfg: Any, threads: int) -> list[str]:
    """One line for each setting of gunicorn with which the service cannot run.

    `cfg` is gunicorn's Config, `threads` the number of threads that are needed.
    """
    tls = "must not be set: TLS belongs to the proxy in front"
    demands = [
        (
            "workers",
            cfg.workers == 1,
            "must be 1: connections and results are kept in one process; for more capacity add replicas",
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
        (
            "worker_tmp_dir",
            _can_hold_files(cfg.worker_tmp_dir),
            "must be a folder that can be written to; mount a tmpfs at /tmp or /dev/shm",
        ),
    ]
    return [f"gunicorn's {name}: {demand}" for name, met, demand in demands if not met]


def heartbeat_folder(memory: str = "/dev/shm") -> str | None:
    """The folder of the worker's heartbeat file: in memory, where no disk delays it; None for the machine's default.

    Some machines have no such folder, or one that is read-only or full.
    """
    return memory if _can_hold_files(memory) else None


def _can_hold_files(folder: str | None) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def raise_descriptor_limit(needed: int) -> list[str]:
    """Raise this process's limit to `needed` descriptors; one line if its hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard):
        hard = max(needed, soft)
    if hard < needed:
        return [f"descriptor limit (ulimit -n): must be {needed} or more, not {hard}"]
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return []
