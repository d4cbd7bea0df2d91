#!/usr/bin/env bash
# What needs more than cargo: the release binary as an operator meets it, promtool, systemd's own checks and a booted systemd.
#
#     packaging/compile && tests/system.sh [CHECK...]
#
# The checks are the functions check_CHECK below, each of which says what it looks at; their order is at the end. Those that are joined
# by a plus sign, as in soak+reproducible, run at once. The program is target/release/adit, or $ADIT; that of the packages is always the
# former.
#
# Needs Python with venv and a package index for pip, promtool (Debian: prometheus), systemd-analyze, unshare, curl, a C compiler and, as
# root, debootstrap and systemd-nspawn (systemd-container). The packages need what tests/packages.sh says.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
export ADIT=$adit

# What Cloudflare's own SDK makes of the sandbox's answers.
check_sdk() {
    tests/sdk.sh
}

# What anybody can ask of the control socket, and whether its answers are what its description says.
check_schemathesis() {
    tests/schemathesis.sh
}

# What the official client of the Model Context Protocol makes of adit mcp.
check_mcp() {
    tests/mcp.sh
}

# Whether everything that the demo breaks heals.
check_demo() {
    "$adit" demo --plain --for 20s
}

# What promtool makes of /metrics.
check_metrics() {
    start_sandbox
    {
        host_configuration
        tunnel web
    } >"$work/adit.toml"
    start_daemon
    until_true 'the tunnel is ready' adit status
    curl -sS --fail --unix-socket "$work/metrics.sock" http://localhost/metrics >"$work/metrics.txt"
    # Adit's own families are without fault. cloudflared's keep their names, some of which promtool would rather have otherwise; that
    # it reads the whole page is what counts there (1 says that it cannot, 3 that it would have words otherwise).
    sed -E '/^(# (HELP|TYPE) )?(cloudflared_|quic_client_)/d' "$work/metrics.txt" | promtool check metrics
    local status=0
    promtool check metrics <"$work/metrics.txt" >"$work/promtool.out" 2>&1 || status=$?
    [ "$status" = 0 ] || [ "$status" = 3 ] || fail "promtool cannot read /metrics: $(cat "$work/promtool.out")"
    ! grep -Ev '^(cloudflared_|quic_client_)' "$work/promtool.out" || fail 'promtool has something against /metrics'
    ! grep -Eq '^(# (HELP|TYPE) )?(go_|process_|promhttp_|build_info)' "$work/metrics.txt" || fail 'families of Go in /metrics'
    for family in adit_build_info adit_tunnels adit_tunnel_state adit_tunnel_ready_connections adit_connector_up \
        adit_reconcile_duration_seconds_bucket adit_last_successful_sync_timestamp_seconds \
        adit_cloudflare_api_requests_total adit_cloudflare_rate_limit_remaining \
        adit_relay_up adit_relay_dropped_series_total cloudflared_tunnel_total_requests quic_client_smoothed_rtt; do
        grep -q "^$family[{ ]" "$work/metrics.txt" || fail "no $family in /metrics"
    done
    stop_daemon
}

# What a real Prometheus has for every panel of the dashboard.
check_dashboard() {
    tests/dashboard.sh
}

# Whether the rules are well formed, and fire and are quiet at the minute that their unit tests say.
check_rules() {
    promtool check rules packaging/prometheus/adit.rules.yml
    promtool test rules packaging/prometheus/adit.rules.test.yml
}

# Whether each alert fires in a real Prometheus from a fault of its own, and resolves.
check_alerts() {
    tests/alerts.sh
}

# What systemd says of the unit without running it.
check_unit() {
    # The unit names /usr/bin/adit: verified with the binary in its place in a folder of its own.
    sed "s|/usr/bin/adit|$adit|" systemd/adit.service >"$work/adit.service"
    systemd-analyze verify --man=no "$work/adit.service"
    # In tenths: no wider than 1.5 (tests/systemd.sh looks at the unit as it runs).
    systemd-analyze security --offline=yes --threshold=15 --no-pager "$work/adit.service" >"$work/exposure" ||
        fail "the unit is too exposed: $(tail -n 1 "$work/exposure")"
    tail -n 1 "$work/exposure"
}

# As in a container: whoever started the session is outside the PID namespace, so that it has no number inside.
check_namespace() {
    unshare --pid --fork --mount-proc "$adit" demo --plain --for 20s
}

# The same storm as in cargo test, long enough for its law of large numbers: 20,000 requests and 100 kills.
check_chaos() {
    ADIT_CHAOS_SECONDS=${ADIT_CHAOS_SECONDS:-60} cargo test --locked --quiet --test chaos -- --nocapture
}

# That the benchmark works, and that no count of API calls is above its goal; times are for a quiet machine.
check_bench() {
    tests/bench/run --quick --adit "$adit"
}

# Faults of every class for five minutes. What this host cannot do is left out, and told.
check_soak() {
    tests/soak.sh --seconds "${ADIT_SOAK_SECONDS:-300}" --connectors "${ADIT_SOAK_CONNECTORS:-200}" --where-possible
}

# A short search for bytes that break a law of those that read them.
check_fuzz() {
    tests/fuzz.sh "${ADIT_FUZZ_SECONDS:-15}"
}

# What the .deb and the .rpm hold, and what installing and removing them does.
check_packages() {
    tests/packages.sh
}

# Whether the same commit, built elsewhere, gives the same program and packages. It takes a release build from nothing.
check_reproducible() {
    packaging/build >/dev/null
    tests/reproducible.sh
}

# The package under a booted systemd.
check_systemd() {
    # It prints the paths of the packages.
    tests/systemd.sh "$(packaging/build | grep '\.deb$')"
}

# run_check CHECK[+CHECK...]: what the first prints is seen at once, that of the others when it has ended.
run_check() {
    local names name outputs=()
    IFS=+ read -ra names <<<"$1"
    for name in "${names[@]:1}"; do
        "check_$name" >"$work/$name.output" 2>&1 &
        companion $!
        outputs[$!]=$name
    done
    "check_${names[0]}"
    local process status
    for process in "${!outputs[@]}"; do
        name=${outputs[$process]} status=0
        wait "$process" || status=$?
        unset "companions[$process]"
        step "$name"
        cat "$work/$name.output"
        [ "$status" = 0 ] || fail "it ended with $status"
    done
}

# What takes all the processors goes beside what mostly waits.
checks=("$@")
[ $# -gt 0 ] || checks=(unit metrics rules dashboard alerts sdk schemathesis mcp demo namespace chaos soak+reproducible fuzz bench packages systemd)
for check in ${checks[*]//+/ }; do
    declare -F "check_$check" >/dev/null || fail "there is no check \"$check\""
done
for check in "${checks[@]}"; do
    step "$check"
    run_check "$check"
done
echo 'every check passed'
