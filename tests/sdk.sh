#!/usr/bin/env bash
# The official Python SDK reads every answer of the sandbox.
#
#     cargo build --release && tests/sdk.sh
#
# Needs Python 3.11 with venv, and what tests/sdk/requirements.txt names, from wherever pip is told to look.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
. tests/support/python.sh
install_python tests/sdk/requirements.txt
start_sandbox --no-rate-limit
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" tests/sdk/read_everything.py "$work/sandbox" ||
    fail 'the SDK found something, or could not ask'
