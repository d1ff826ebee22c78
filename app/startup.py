"""How every process of the service begins."""

import logging
import os
import sys

from app.logs.setup import configure
from app.settings import Settings, SettingsError

log = logging.getLogger(__name__)


def load_settings() -> Settings:
    """Read the settings from the environment and set up logging as they demand.

    Bad settings end the process with exit status 2 and one line on stderr for each.
    """
    try:
        settings = Settings.load(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    configure(settings.log_level, settings.log_format, settings.secrets())
    return settings


def warn(settings: Settings) -> None:
    """Log what is worth a warning in the environment; in one process is enough."""
    for line in settings.warnings(os.environ):
        log.warning(line)
