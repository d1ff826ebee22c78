"""The WSGI application, started: importing this module starts the service."""

import logging
import sys
import textwrap

from app import __version__
from app.factory import create_app, runtime_of
from app.startup import load_settings, warn

# Well below the longest line of the log: nothing is cut out of the settings, however many upstreams they name.
SHOWN_CHARACTERS = 4000

log = logging.getLogger(__name__)

settings = load_settings()
log.info("server-health %s", __version__)
shown = " ".join(f"{name}={value}" for name, value in settings.masked().items())
wrapper = textwrap.TextWrapper(
    SHOWN_CHARACTERS, expand_tabs=False, replace_whitespace=False, break_long_words=False, break_on_hyphens=False
)
for part in wrapper.wrap(shown):
    log.info("settings: %s", part)
warn(settings)
app = create_app(settings)
try:
    runtime_of(app).start()
except RuntimeError as error:
    # gunicorn's master tries again after this status; after its own for a failed start it would end itself.
    log.critical("cannot start: %s", error)
    sys.exit(1)
