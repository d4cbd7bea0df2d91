#!/usr/bin/env bash
# The official Python client of the Model Context Protocol uses `adit mcp` in front of a real daemon.
#
#     cargo build --release && tests/mcp.sh
#
# Needs Python 3.11 with venv, and what tests/mcp/requirements.txt names, from wherever pip is told to look.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
. tests/support/python.sh
install_python tests/mcp/requirements.txt
start_sandbox
{
    host_configuration
    printf '[tunnels.web]\ningress = [{ hostname = "app.example.com", service = "http_status:204" }]\n'
} >"$work/adit.toml"
start_daemon
until_true 'the tunnel is ready' adit status
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" tests/mcp/use_everything.py "$adit" "$work/adit.sock" "$work/sandbox/token" ||
    fail 'the client found something, or could not ask'
