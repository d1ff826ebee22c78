"""What the service reports about its dependencies: records in, report out. No clock, no network, no Flask."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.health.record import Record

HEALTHY = "healthy"
UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Identity:
    """Whose health it is."""

    service: str
    version: str


@dataclass(frozen=True)
class Report:
    """The records of all dependencies at one moment, by name."""

    identity: Identity
    records: tuple[Record, ...]

    @cached_property
    def healthy(self) -> bool:
        """Whether every dependency is connected."""
        return all(record.connected for record in self.records)

    @property
    def status(self) -> str:
        return HEALTHY if self.healthy else UNHEALTHY

    def health(self, timestamp: int) -> dict[str, Any]:
        """The five fields of `/health`, in their order; `timestamp` in Unix milliseconds."""
        return {
            "status": self.status,
            "timestamp": timestamp,
            "version": self.identity.version,
            "service": self.identity.service,
            "dependencies": {record.dependency: record.status for record in self.records},
        }

    def health_json(self, timestamp: int) -> bytes:
        """`health` as JSON; everything but the timestamp is rendered once for a report."""
        before, after = self._health_json_parts
        return b"%b%d%b" % (before, timestamp, after)

    @cached_property
    def _health_json_parts(self) -> tuple[bytes, bytes]:
        before, after = to_json(self.health(-1)).split(b'"timestamp":-1', 1)
        return before + b'"timestamp":', after

    def checks(self) -> dict[str, dict[str, Any]]:
        """Everything known of each dependency, by its name; times in Unix milliseconds."""
        return {record.dependency: _check(record) for record in self.records}

    def missing(self, required: Iterable[str]) -> list[str]:
        """Which of the required dependencies are not connected."""
        connected = {record.dependency for record in self.records if record.connected}
        return [name for name in required if name not in connected]


def _check(record: Record) -> dict[str, Any]:
    return {
        "status": record.status,
        "reason": record.reason,
        "latency_ms": record.latency_ms,
        "checked_at": record.checked_at,
        "since": record.since,
        "consecutive_failures": record.consecutive_failures,
        "last_success": record.last_success,
        "history": [entry._asdict() for entry in record.history],
        "changes": [change._asdict() for change in record.changes],
    }


def to_json(value: Any) -> bytes:
    """`value` as one line of JSON, UTF-8, without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"
