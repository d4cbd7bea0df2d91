# What the scripts share that need a host: a sandbox, and mostly a daemon, in the folder $work. Needs wait.sh.
#
# Whatever is started here ends with the script, as does what it told of by `companion`, and $work is gone then.

# The program under test: the release build, or another one that $ADIT names.
adit=$(realpath -m "${ADIT:-target/release/adit}")
work=$(mktemp -d)
sandbox='' daemon='' companions=()
# Where the daemon serves metrics; to be set before the configuration is written.
metrics=unix:$work/metrics.sock

end_host() {
    local process
    for process in "${!companions[@]}" $daemon $sandbox; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    # Connectors outlive a daemon that was killed.
    for process in /proc/[0-9]*; do
        if grep -qsF "$work/sandbox/cloudflared" "$process/cmdline"; then kill -KILL "${process#/proc/}" 2>/dev/null || true; fi
    done
    rm -rf "$work"
}
trap end_host EXIT

# companion PROCESS: something of the script's own that ends with it.
companion() { companions[$1]=running; }

# end_companion PROCESS: ends it before. Its number may be another's from here on.
end_companion() {
    kill "$1"
    wait "$1" 2>/dev/null || true
    unset "companions[$1]"
}

# The logs of what ran, the last lines of each.
on_failure() {
    local log
    for log in "$work"/*.err "$work"/*.log "$work"/sandbox/*.log; do
        [ ! -s "$log" ] || { printf '%s:\n' "${log##*/}" && tail -n 20 "$log"; }
    done
}

# start_sandbox OPTION...: in $work/sandbox. Its API is at $base, its edge at $edge and its front, for visitors, at $front.
start_sandbox() {
    [ -x "$adit" ] || fail "there is no binary \"$adit\": it has to be built first"
    mkdir "$work/sandbox"
    mkfifo "$work/words"
    exec 7<>"$work/words"
    "$adit" sandbox --directory "$work/sandbox" "$@" <&7 7>&- >"$work/sandbox.out" 2>"$work/sandbox.err" &
    sandbox=$!
    until_true 'the sandbox is up, or has ended' sandbox_is_up_or_gone
    kill -0 "$sandbox" 2>/dev/null || fail 'the sandbox ended'
    base=$(sed -n 's/^api_base = "\(.*\)"$/\1/p' "$work/sandbox/sandbox.toml")
    edge=$(sed -n 's/.*TUNNEL_EDGE = "\([^"]*\)".*/\1/p' "$work/sandbox/sandbox.toml")
    front=$(sed -n 's/^front //p' "$work/sandbox.out")
}

sandbox_is_up_or_gone() {
    [ -s "$work/sandbox/sandbox.toml" ] && grep -q '^front ' "$work/sandbox.out" || ! kill -0 "$sandbox" 2>/dev/null
}

# tell WORDS: to the sandbox, which breaks or mends something.
tell() { printf '%s\n' "$1" >&7; }

# What the configuration of every host here begins with: the sandbox's account, everything else in $work, and whoever runs this may
# do everything.
host_configuration() {
    cat "$work/sandbox/sandbox.toml"
    printf '[daemon]\nstate_dir = "%s/state"\nruntime_dir = "%s/run"\n' "$work" "$work"
    printf '[control]\nsocket = "%s/adit.sock"\n[metrics]\nlisten = "%s"\n' "$work" "$metrics"
    printf '[access]\nadmin = ["%s"]\n' "$(id -u)"
}

# tunnel NAME [LINES [SERVICE]]: a table of the configuration, with the hostname NAME.example.com.
tunnel() {
    printf '[tunnels.%s]\n%s\ningress = [{ hostname = "%s.example.com", service = "%s" }]\n' "$1" "${2:-}" "$1" "${3:-http_status:204}"
}

# Starts a daemon with $work/adit.toml, which answers then.
start_daemon() {
    "$adit" daemon --config "$work/adit.toml" 2>>"$work/daemon.log" 7>&- &
    daemon=$!
    until_true 'the daemon answers' adit whoami
}

stop_daemon() {
    kill -TERM "$daemon"
    wait "$daemon" || fail "the daemon did not stop cleanly: $(tail -n 5 "$work/daemon.log")"
    daemon=''
}

# As a crash would; its connectors run on.
kill_daemon() {
    kill -KILL "$daemon"
    wait "$daemon" 2>/dev/null || true
    daemon=''
}

# A client of the daemon.
adit() { "$adit" --socket "$work/adit.sock" "$@"; }

# api METHOD PATH [CURL ARGUMENT...]: asks the API of the sandbox, as somebody else who has a token.
api() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --max-time 10 --request "$method" --header "Authorization: Bearer $(cat "$work/sandbox/account-token")" \
        --header 'Content-Type: application/json' "$@" "$base$path"
}

# of_json EXPRESSION: its value in Python, where `it` is the JSON on standard input.
of_json() { python3 -c "import json, sys; it = json.load(sys.stdin); print($1)"; }
