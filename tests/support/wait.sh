# What the scripts share: steps, failures, expectations and waiting for conditions. A script that sources it may define `on_failure`.

current_step='start'

step() {
    current_step=$1
    printf -- '-- %s (%s s)\n' "$1" "$SECONDS"
}

fail() {
    printf 'FAILED in "%s": %s\n' "$current_step" "$*" >&2
    if declare -F on_failure >/dev/null; then on_failure >&2 || true; fi
    exit 1
}

# expect_said TEXT: what the last command said, which its caller has kept in $said, holds TEXT.
expect_said() { grep -qF -- "$1" <<<"$said" || fail "not said: $1"$'\n'"but: $said"; }

# until_true WHAT COMMAND...: waits for a condition, for at most 30 seconds.
until_true() { until_within 30 "$@"; }

# until_within SECONDS WHAT COMMAND...
until_within() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "not in time: $what"
        sleep 0.05
    done
}
