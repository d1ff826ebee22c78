"""gunicorn's own log lines, handled like all others."""

from typing import Any

from gunicorn.glogging import Logger


class PropagatingLogger(Logger):
    """Leaves handlers and levels to the root logger. There is no access log: a probe is not logged."""

    def setup(self, cfg: Any) -> None:
        """See gunicorn's Logger: called at start and on each reload of its configuration."""
        self.cfg = cfg
        self._access_log_enabled = False
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
