"""The command `server-health`: runs the service on gunicorn, from any folder. `python -m app.serving.command` does too."""

import sys

from app import __version__

try:
    from gunicorn.app import wsgiapp
except ModuleNotFoundError as error:
    sys.exit(f"server-health: {error}: pip install --require-hashes -r requirements.txt")

HELP = """\
usage: server-health [-h] [--version] [GUNICORN-OPTION...]

Runs the service in the foreground until SIGTERM or Ctrl-C. The settings are environment variables:
`python -m app.settings` lists them.

  -h, --help       print this and exit
  --version        print the version and exit
  GUNICORN-OPTION  an option of gunicorn that no setting stands for, such as --access-logfile -

Exit status: 2 for a bad setting, otherwise gunicorn's."""


def main() -> None:
    """Become gunicorn's master; its options are the arguments of this process."""
    match sys.argv[1:]:
        case ["-h" | "--help"]:
            print(HELP)
        case ["--version"]:
            print(f"server-health {__version__}")
        case options:
            sys.argv[1:] = ["--config", "python:app.serving.gunicorn_conf", "app.wsgi:app", *options]
            wsgiapp.run()


if __name__ == "__main__":
    main()
