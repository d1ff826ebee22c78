"""What the tests of the scripts need: the checkout, an environment, a PATH, the processes of a script."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 30.0
"""Seconds after which a script that should have ended is killed."""


def environment(**settings):
    """The environment in which a user calls a script, with no settings of the service but these.

    The virtual environment is the one that runs the tests; coverage is still measured.
    """
    kept = {"PATH", "HOME", "TMPDIR", "LANG", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE", "PYENV_ROOT", "PYENV_VERSION"}
    inherited = {name: value for name, value in os.environ.items() if name in kept}
    return inherited | {"VENV": sys.prefix, "PYTHON": sys.executable} | settings


def link_commands(folder, *names):
    """Make `folder` a PATH that contains only these commands; returns it as a string.

    A command that the machine lacks is left out: the caller requires it with `need`.
    """
    for name in names:
        found = shutil.which(name)
        if found:
            (pathlib.Path(folder) / name).symlink_to(found)
    return str(folder)


def living(group):
    """The pids of the running processes of a process group; those that wait to be reaped do not count."""
    pids = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if int(its_group) == group and state not in "ZX":
            pids.append(int(stat.parent.name))
    return pids
