#!/usr/bin/env bash
# Connectors under faults of every class for a long time (see tests/soak.rs), in namespaces of its own: nothing of it outlives this
# script, and the host's network, mounts and processes are out of reach.
#
#     cargo build --release && tests/soak.sh [OPTION...]
#
# An hour with 200 connectors; --help says how to have it otherwise. The program is target/release/adit, or $ADIT. The daemon's log is in
# target/soak then. Needs root, unshare, iproute2 and iptables; for a disk that hangs loop devices, mkfs.ext4 and fsfreeze; for the clock
# libfaketime (Debian: faketime). A fault that the host cannot do fails the run, unless an option leaves it out.
set -euo pipefail
cd "$(dirname "$0")/.."
adit=$(realpath "${ADIT:-target/release/adit}")
. tests/support/wait.sh
[ "$(id -u)" = 0 ] || fail 'it has to be started as root'
[ -x "$adit" ] || fail "there is no binary \"$adit\": it has to be built first"

# The program under test is the release build; what stands around it need not be.
built=$(ADIT_PROGRAM=$adit cargo test --locked --test soak --no-run --message-format json-render-diagnostics)
program=$(sed -n 's/.*"target":{[^}]*"name":"soak"[^}]*}.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
[ -n "$program" ] || fail 'cargo does not say where the test program is'

work=$(mktemp -d)
storm=''
end_storm() {
    local inside
    # Whoever waits for a disk that hangs could not end.
    for inside in /proc/[0-9]*; do
        if [ "$(readlink "$inside/exe" 2>/dev/null)" = "$program" ]; then
            nsenter --mount --target "${inside#/proc/}" sh -c "fsfreeze -u $work/*/state" 2>/dev/null || true
        fi
    done
    [ -z "$storm" ] || kill -KILL "$storm" 2>/dev/null || true
    mkdir -p target/soak
    cp "$work"/adit-test-*/daemon.log target/soak/ 2>/dev/null || true
    rm -rf "$work"
}
trap end_storm EXIT
trap 'exit 130' INT TERM

# Everything inside ends with the first process of its namespace, and its mounts with that.
TMPDIR=$work unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc \
    bash -c 'ip link set lo up; "$@"; exit $?' bash "$program" "$@" &
storm=$!
wait "$storm"
