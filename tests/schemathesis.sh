#!/usr/bin/env bash
# Schemathesis asks a daemon on the sandbox everything that the control socket's own description says.
#
#     cargo build --release && tests/schemathesis.sh
#
# Needs Python 3.11 with venv, and what tests/schemathesis/requirements.txt names, from wherever pip is told to look.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
. tests/support/python.sh
install_python tests/schemathesis/requirements.txt
start_sandbox --no-rate-limit
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" tests/schemathesis/ask_everything.py "$adit" "$work/sandbox" ||
    fail 'the asker found something, or could not ask'
