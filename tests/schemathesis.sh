#!/usr/bin/env bash
# Schemathesis asks a daemon on the sandbox everything that the control socket's own description says.
#
#     cargo build --release && tests/schemathesis.sh [ADIT]
#
# Needs Python 3.11 with venv, and what tests/schemathesis/requirements.txt names, from wherever pip is told to look.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
adit=${1:-$PWD/target/release/adit}
work=$(mktemp -d)
sandbox=''

cleanup() {
    [ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/schemathesis/requirements.txt >"$work/pip.log" 2>&1 ||
    fail "pip cannot install what tests/schemathesis/requirements.txt names: $(tail -n 3 "$work/pip.log")"
mkdir "$work/sandbox"
"$adit" sandbox --directory "$work/sandbox" --no-rate-limit >"$work/sandbox.out" 2>"$work/sandbox.err" &
sandbox=$!
until_true 'the sandbox is up' test -s "$work/sandbox/sandbox.toml"
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" tests/schemathesis/ask_everything.py "$adit" "$work/sandbox"
