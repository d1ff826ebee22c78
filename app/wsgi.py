"""The WSGI application, started: the one module that does something when imported."""

import logging
import os
import sys

from app import log_setup
from app.factory import create_app, runtime_of
from app.settings import Settings, SettingsError

try:
    settings = Settings.load(os.environ)
except SettingsError as error:
    print(error, file=sys.stderr)
    sys.exit(2)

log_setup.configure(settings.log_level, settings.log_format, settings.secrets())
logging.getLogger(__name__).info(
    "settings: %s", " ".join(f"{name}={value}" for name, value in settings.masked().items())
)
app = create_app(settings)
runtime_of(app).start()
