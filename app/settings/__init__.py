"""What can be set, all of it by environment variables. `python -m app.settings` prints it as tables."""

from app.settings.settings import Settings, SettingsError

__all__ = ["Settings", "SettingsError"]
