"""The command `server-health`: runs the service on gunicorn, from any folder. `python -m app.serving.command` does too."""

import argparse
import copy
import logging
import sys
from typing import Any, NoReturn

from app import __version__

try:
    from gunicorn.app.wsgiapp import WSGIApplication
    from gunicorn.errors import ConfigError
except ModuleNotFoundError as error:
    sys.exit(f"server-health: {error}: pip install --require-hashes -r requirements.txt")
except ValueError as error:
    print(f"server-health: WEB_CONCURRENCY must be unset or a whole number: {error}", file=sys.stderr)
    sys.exit(2)

HELP = """\
usage: server-health [-h] [--version] [GUNICORN-OPTION...]

Runs the service in the foreground until SIGTERM or Ctrl-C. The settings are environment variables:
`python -m app.settings` lists them.

  -h, --help       print this and exit
  --version        print the version and exit
  GUNICORN-OPTION  an option of gunicorn that no setting stands for, such as --pid FILE

Exit status: 2 for a bad setting, otherwise gunicorn's."""

# What the service decides, and by what it can be changed. A platform that sets these for every application of its own
# accord does it by WEB_CONCURRENCY and GUNICORN_CMD_ARGS.
DECIDED = {
    "workers": "for more capacity add replicas",
    "threads": "set WS_MAX_CONNECTIONS or HTTP_THREADS",
    "worker_class": "set WORKER_CLASS",
    "bind": "set HOST or PORT",
    "preload_app": "threads do not survive a fork",
    "timeout": "it is the heartbeat of the worker, not the limit of a request",
    "graceful_timeout": "set DRAIN_SECONDS or SHUTDOWN_TIMEOUT_SECONDS",
    "keepalive": "the worker class decides it",
}

log = logging.getLogger(__name__)


class Command(WSGIApplication):
    """gunicorn's command, on which the environment changes nothing that the service decides."""

    def load_default_config(self) -> None:
        """See gunicorn's Application: the defaults, of which WEB_CONCURRENCY sets one, and GUNICORN_CMD_ARGS judged."""
        try:
            super().load_default_config()
        except ValueError as error:
            _refuse(f"WEB_CONCURRENCY must be unset or a whole number: {error}")
        parser = self.cfg.parser()
        parser.prog = "server-health: GUNICORN_CMD_ARGS"  # begins the line on which argparse has what is wrong
        parser.usage = argparse.SUPPRESS
        name = ""
        try:
            for name, value in vars(parser.parse_args(self.cfg.get_cmd_args_from_env())).items():
                if value is not None and name in self.cfg.settings:
                    copy.copy(self.cfg.settings[name]).set(value)  # gunicorn judges it; it has effect after the file
        except (ValueError, TypeError, ConfigError) as error:
            option = f"argument {self.cfg.settings[name].cli[-1]}: " if name else ""
            _refuse(f"GUNICORN_CMD_ARGS: error: {option}{error}")

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """See gunicorn's Application: remember what the service's configuration sets."""
        decided: dict[str, Any] = super().load_config_from_module_name_or_filename(location)
        self._decided = decided
        return decided

    def load_config(self) -> None:
        """See gunicorn's Application. What stands on the command line is left alone: it is judged later, and refused."""
        workers = self.cfg.workers  # by default WEB_CONCURRENCY
        super().load_config()
        typed = vars(self.cfg.parser().parse_args())
        for name, instead in DECIDED.items():
            if typed[name] is not None:
                continue
            setting = self.cfg.settings[name]
            demanded = {str(workers)} if name == "workers" else set()
            demanded.add(str(setting.get()))
            self.cfg.set(name, self._decided[name])
            for value in sorted(demanded - {str(setting.get())}):
                log.warning("gunicorn's %s=%s in the environment is overruled: %s", name, value, instead)


def _refuse(line: str) -> NoReturn:
    print(f"server-health: {line}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
    """Become gunicorn's master; its options are the arguments of this process."""
    match sys.argv[1:]:
        case ["-h" | "--help"]:
            print(HELP)
        case ["--version"]:
            print(f"server-health {__version__}")
        case options:
            sys.argv[1:] = ["--config", "python:app.serving.gunicorn_conf", "app.wsgi:app", *options]
            Command("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    main()
