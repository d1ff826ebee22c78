"""How every process of the service begins, and the doctor."""

import logging
import os
import sys

from app.logs.setup import configure
from app.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def read_settings() -> Settings:
    """Read the settings from the environment.

    Bad settings end the process with exit status 2 and one line on stderr for each.
    """
    try:
        return Settings.load(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def load_settings() -> Settings:
    """Read the settings as `read_settings` does, and set up logging as they demand."""
    settings = read_settings()
    configure(settings.log_level, settings.log_format, settings.secrets())
    return settings


def warn(settings: Settings) -> None:
    """Log what is worth a warning in the environment; in one process is enough."""
    for line in warnings(settings):
        log.warning(line)


def warnings(settings: Settings) -> list[str]:
    """What is worth a warning in the environment: lines without secrets."""
    return settings.warnings(os.environ)
