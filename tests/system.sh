#!/usr/bin/env bash
# What needs more than cargo: the release binary as an operator meets it, promtool, systemd's own checks and a booted systemd.
#
#     cargo build --release && tests/system.sh [demo|metrics|unit|sdk|schemathesis|mcp|namespace|chaos|systemd ...]
#
# Needs Python with venv and a package index for pip, promtool (Debian: prometheus), systemd-analyze, unshare, curl and, as root, debootstrap and systemd-nspawn (systemd-container).
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
adit=${ADIT:-$PWD/target/release/adit}
work=$(mktemp -d)
sandbox='' daemon=''

cleanup() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
    [ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# A sandbox and a daemon with one tunnel, in $work.
start_host() {
    "$adit" sandbox --directory "$work" >"$work/sandbox.out" 2>"$work/sandbox.err" &
    sandbox=$!
    until_true 'the sandbox is up' test -s "$work/sandbox.toml"
    {
        cat "$work/sandbox.toml"
        printf '[daemon]\nstate_dir = "%s/state"\nruntime_dir = "%s/run"\n' "$work" "$work"
        printf '[control]\nsocket = "%s/adit.sock"\n[metrics]\nlisten = "unix:%s/metrics.sock"\n' "$work" "$work"
        printf '[access]\nadmin = ["%s"]\n' "$(id -u)"
        printf '[tunnels.web]\ningress = [{ hostname = "app.example.com", service = "http_status:204" }]\n'
    } >"$work/adit.toml"
    "$adit" daemon --config "$work/adit.toml" 2>"$work/daemon.log" &
    daemon=$!
    until_true 'the tunnel is ready' "$adit" --socket "$work/adit.sock" status
}

# What Cloudflare's own SDK makes of the sandbox's answers.
check_sdk() {
    tests/sdk.sh "$adit"
}

# What anybody can ask of the control socket, and whether its answers are what its description says.
check_schemathesis() {
    tests/schemathesis.sh "$adit"
}

# What the official client of the Model Context Protocol makes of adit mcp.
check_mcp() {
    tests/mcp.sh "$adit"
}

check_demo() {
    "$adit" demo --plain --for 20s
}

check_metrics() {
    start_host
    curl -sS --fail --unix-socket "$work/metrics.sock" http://localhost/metrics >"$work/metrics.txt"
    promtool check metrics <"$work/metrics.txt"
    for family in adit_build_info adit_tunnels adit_tunnel_state adit_tunnel_ready_connections adit_connector_up \
        adit_reconcile_duration_seconds_bucket adit_last_successful_sync_timestamp_seconds \
        adit_cloudflare_api_requests_total adit_cloudflare_rate_limit_remaining; do
        grep -q "^$family[{ ]" "$work/metrics.txt" || fail "no $family in /metrics"
    done
    kill -TERM "$daemon"
    wait "$daemon" || fail "the daemon did not stop cleanly: $(tail -n 5 "$work/daemon.log")"
    daemon=''
}

check_unit() {
    # The unit names /usr/bin/adit: verified with the binary in its place in a folder of its own.
    sed "s|/usr/bin/adit|$adit|" systemd/adit.service >"$work/adit.service"
    systemd-analyze verify --man=no "$work/adit.service"
}

# As in a container: whoever started the session is outside the PID namespace, so that it has no number inside.
check_namespace() {
    unshare --pid --fork --mount-proc "$adit" demo --plain --for 20s
}

check_chaos() {
    # The same storm as in cargo test, long enough for its law of large numbers: 20,000 requests and 100 kills.
    ADIT_CHAOS_SECONDS=${ADIT_CHAOS_SECONDS:-60} cargo test --locked --quiet --test chaos -- --nocapture
}

check_systemd() {
    tests/systemd.sh "$adit"
}

for check in ${*:-unit metrics sdk schemathesis mcp demo namespace chaos systemd}; do
    step "$check"
    "check_$check"
done
echo 'every check passed'
