#!/usr/bin/env bash
# usage: bin/.venv.sh
# Brings the checkout's virtual environment up to requirements.txt and tests/requirements.txt; silent when it is.
#   VENV    its folder, seen from the checkout (default .venv)
#   PYTHON  what makes it (default python3)
# Exit status: 1 no Python of 3.11 or later, else that of venv or pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv} python=${PYTHON:-python3}
say() { printf 'bin/.venv.sh: %s\n' "$*" >&2; }

version=$("$python" -c 'import sys; print(sys.version.split()[0]); sys.exit(sys.version_info < (3, 11))') || {
  say "$python is ${version:-not there}; Python 3.11 or later is needed"
  exit 1
}
if command -v flock >/dev/null; then # one at a time, where the machine can
  exec 9<.
  flock 9
fi

made="Python $version in $(realpath -m "$venv")" # a venv that was moved is broken
locked=$(sha256sum requirements.txt tests/requirements.txt)
stamp=$venv/.stamp
[[ $(cat "$stamp" 2>/dev/null) != "$made"$'\n'"$locked" ]] || exit 0

if [[ $(head -n 1 "$stamp" 2>/dev/null) != "$made" ]]; then
  say "making $venv with Python $version, once"
  "$python" -m venv --clear "$venv"
fi
say "installing what requirements.txt and tests/requirements.txt say"
install=("$venv/bin/python" -m pip --disable-pip-version-check -q install --require-hashes --no-compile)
sed -n '/^pip==/,/[^\\]$/p' tests/requirements.txt | "${install[@]}" -r /dev/stdin
"${install[@]}" -r requirements.txt -r tests/requirements.txt
"$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || true # faster than pip's one by one; some test data is no Python
printf '%s\n' "$made" "$locked" >"$stamp"
