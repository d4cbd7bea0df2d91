#!/usr/bin/env bash
# The official Python client of the Model Context Protocol uses `adit mcp` in front of a real daemon.
#
#     cargo build --release && tests/mcp.sh [ADIT]
#
# Needs Python 3.11 with venv, and what tests/mcp/requirements.txt names, from wherever pip is told to look.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/python.sh
adit=${1:-$PWD/target/release/adit}
work=$(mktemp -d)
sandbox='' daemon=''

cleanup() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
    [ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

[ -x "$adit" ] || fail "there is no binary \"$adit\": it has to be built first"
install_python tests/mcp/requirements.txt
start_sandbox
{
    cat "$work/sandbox/sandbox.toml"
    printf '[daemon]\nstate_dir = "%s/state"\nruntime_dir = "%s/run"\n' "$work" "$work"
    printf '[control]\nsocket = "%s/adit.sock"\n[metrics]\nlisten = "unix:%s/metrics.sock"\n' "$work" "$work"
    printf '[access]\nadmin = ["%s"]\n' "$(id -u)"
    printf '[tunnels.web]\ningress = [{ hostname = "app.example.com", service = "http_status:204" }]\n'
} >"$work/adit.toml"
"$adit" daemon --config "$work/adit.toml" 2>"$work/daemon.log" &
daemon=$!
until_true 'the tunnel is ready' "$adit" --socket "$work/adit.sock" status
PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/python" tests/mcp/use_everything.py "$adit" "$work/adit.sock" "$work/sandbox/token" ||
    fail 'the client found something, or could not ask'
