"""The command `server-health-doctor`. `python -m app.doctor.command` does too."""

import argparse
import io
import logging
import os
import signal
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
except ModuleNotFoundError as missing:
    print(f"server-health-doctor: {missing}: pip install --require-hashes -r requirements.txt", file=sys.stderr)
    sys.exit(2)

ABOUT = """\
Tries every dependency and every upstream of the service step by step (name, connect, TLS, speak, authenticate, check)
and says what the first failure means and what to do. Starts no server and writes nothing. The settings are those of the
service, in the environment: run it where the service runs, as names and routes differ elsewhere."""
STATUS = "Exit status: 0 if all is well, 1 if a step failed, 2 for wrong usage or bad settings."
# What Docker and Podman put into every container. Kubernetes sets a variable instead.
CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
CONTAINER_VARIABLE = "KUBERNETES_SERVICE_HOST"


def main() -> None:
    """Examine what the arguments of this process name, print the diagnoses, and end with the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback
    logging.getLogger().addHandler(logging.NullHandler())  # what failed is in the diagnoses
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
    watched = [each for each in watched if each.name in names]
    diagnoses = examine_all([*watched, *(each for each in dialled if each.name in names)])
    for line in warnings(settings):
        print(f"WARN: {line}", file=sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every character
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    output = Output(Redactor(settings.secrets()), coloured=sys.stdout.isatty() and not plain)
    if arguments.json:
        print(output.json(diagnoses[: len(watched)], diagnoses[len(watched) :]))
    else:
        where = "in a container" if in_container else "not in a container"
        print(f"Run on {socket.gethostname()}, {where}. Names and routes differ from place to place:")
        print("run the doctor where the service runs.")
        print(f"\n{output.text(diagnoses)}")
    sys.exit(0 if all(each.ok for each in diagnoses) else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("server-health-doctor", description=ABOUT, epilog=STATUS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a dependency or an upstream; default: all of them")
    return parser


if __name__ == "__main__":
    main()
