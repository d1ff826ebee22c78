"""The command `server-health-doctor`. `python -m app.doctor.command` does too."""

import argparse
import io
import logging
import os
import socket
import sys
import time
from pathlib import Path

try:
    from app import __version__
    from app.doctor.approach import Place
    from app.doctor.examination import examine_all
    from app.doctor.output import Output
    from app.doctor.subjects import dependencies, upstreams
    from app.logs.redaction import Redactor
    from app.startup import read_settings, warnings
except KeyboardInterrupt:
    sys.exit(130)  # INTERRUPTED, below
except ModuleNotFoundError as missing:
    print(f"server-health-doctor: {missing}: pip install --require-hashes -r requirements.txt", file=sys.stderr)
    sys.exit(2)

ABOUT = """\
Tries every dependency and every upstream of the service step by step (name, connect, TLS, speak, authenticate, check)
and explains what the first failure means and what to do. Starts no server and writes nothing. The settings are those
of the service, in the environment: run it where the service runs, as names and routes differ elsewhere."""
STATUS = "Exit status: 0 if all is well, 1 if a step failed, 2 for wrong usage or bad settings, 130 if interrupted."
# What Docker and Podman put into every container. Kubernetes sets a variable instead.
CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
CONTAINER_VARIABLE = "KUBERNETES_SERVICE_HOST"
INTERRUPTED = 130  # by Ctrl-C, as shells report it


def main() -> None:
    """Examine what the arguments of this process name, print the diagnoses, and end with the exit status."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        print("server-health-doctor: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run() -> int:
    logging.getLogger().addHandler(logging.NullHandler())  # what failed is in the diagnoses
    logging.captureWarnings(True)
    parser = _parser()
    arguments = parser.parse_args()
    settings = read_settings()
    in_container = CONTAINER_VARIABLE in os.environ or any(Path(file).exists() for file in CONTAINER_FILES)
    place = Place(in_container, time.time())
    watched, dialled = dependencies(settings, place), upstreams(settings, place)
    known = [each.name for each in (*watched, *dialled)]
    names = arguments.names or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; the names are {', '.join(known)}")
    for line in warnings(settings) if sys.stderr is not None else ():  # print would fall back to stdout
        print(f"WARN: {line}", file=sys.stderr)
    if not arguments.json:
        where = "in a container" if in_container else "not in a container"
        _show(f"Run on {socket.gethostname()}, {where}. Names and routes differ from place to place:")
        _show("run the doctor where the service runs.\n")
    watched, dialled = ([each for each in every if each.name in names] for every in (watched, dialled))
    diagnoses = examine_all([*watched, *dialled])
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or sys.stdout is None
    output = Output(Redactor(settings.secrets()), coloured=not plain and sys.stdout.isatty())
    if arguments.json:
        _show(output.json(diagnoses[: len(watched)], diagnoses[len(watched) :]))
    else:
        _show(output.text(diagnoses))
    return 0 if all(each.ok for each in diagnoses) else 1


def _show(text: str) -> None:
    """Print at once. A reader that has seen enough, such as `head`, changes nothing; another failure ends the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every character
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is written at the exit
        if not isinstance(error, BrokenPipeError):
            print(f"server-health-doctor: the output cannot be written: {error.strerror}", file=sys.stderr)
            sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("server-health-doctor", description=ABOUT, epilog=STATUS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a dependency or an upstream; default: all of them")
    return parser


if __name__ == "__main__":
    main()
