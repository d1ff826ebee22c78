#!/usr/bin/env bash
# usage: bin/.venv.sh [run]
# Installs requirements.txt and tests/requirements.txt into the checkout's virtual environment; with `run`, only what
# bin/dev needs: requirements.txt and the embedded MongoDB. Silent if there is nothing to do.
#   VENV    its folder, relative to the checkout (default .venv)
#   PYTHON  the Python that makes it (default python3)
# Exit status: 1 without Python 3.11 or later, otherwise that of venv or pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv} python=${PYTHON:-python3}
say() { printf 'bin/.venv.sh: %s\n' "$*" >&2; }

version=$("$python" -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))') || {
  say "$python is ${version:-missing}; Python 3.11 or later is required"
  exit 1
}
if command -v flock >/dev/null; then # one at a time, where the machine has flock
  exec 9<.
  flock 9
fi

made="Python $version in $(realpath -m "$venv")" # a virtual environment that was moved is broken
locked=$(sha256sum requirements.txt tests/requirements.txt)
stamp=$venv/.stamp
for installed in ${1:-} all; do
  [[ $(cat "$stamp" 2>/dev/null) != "$made"$'\n'"$locked"$'\n'"$installed" ]] || exit 0
done

if [[ $(head -n 1 "$stamp" 2>/dev/null) != "$made" ]]; then
  say "making $venv with Python $version, once"
  "$python" -m venv --clear "$venv"
fi
say "installing requirements.txt and tests/requirements.txt${1:+, as far as bin/dev needs them}"
install=("$venv/bin/python" -m pip --disable-pip-version-check -q install --require-hashes --no-compile)
locked_as() { sed -n "/^$1==/,/[^\\\\]\$/p" tests/requirements.txt; } # locked_as PACKAGE
locked_as pip | "${install[@]}" -r /dev/stdin
if [[ ${1:-} == run ]]; then
  "${install[@]}" -r requirements.txt
  { locked_as nx-27017 && locked_as neosqlite; } | "${install[@]}" --no-deps -r /dev/stdin
else
  "${install[@]}" -r requirements.txt -r tests/requirements.txt
fi
# Faster than pip, which compiles one file after the other; fails on test data that is not Python.
"$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || true
printf '%s\n' "$made" "$locked" "${1:-all}" >"$stamp"
