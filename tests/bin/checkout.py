"""The checkout that the tests of its scripts run: where it is, and what surrounds a script."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 30.0
"""Seconds that a script gets at most for what it does at once."""


def environment(**settings):
    """The environment with which a user calls a script: no settings of the service but these.

    The virtual environment is the one that runs the tests. coverage goes on measuring.
    """
    kept = {"PATH", "HOME", "TMPDIR", "LANG", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE", "PYENV_ROOT", "PYENV_VERSION"}
    inherited = {name: value for name, value in os.environ.items() if name in kept}
    return inherited | {"VENV": sys.prefix, "PYTHON": sys.executable} | settings


def link_commands(folder, *names):
    """Make `folder` a PATH on which there are these commands and no others; returns it as a string.

    A name that the machine does not know is left out: the caller has asked for it with `need`.
    """
    for name in names:
        found = shutil.which(name)
        if found:
            (pathlib.Path(folder) / name).symlink_to(found)
    return str(folder)


def living(group):
    """The pids of the processes of a process group, without those that have ended and wait to be reaped."""
    pids = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # it has just gone
            continue
        if int(its_group) == group and state not in "ZX":
            pids.append(int(stat.parent.name))
    return pids
