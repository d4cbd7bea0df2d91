# Clients that never stop: visitors of the tunnel, askers of the control socket, scrapers of /metrics. Each counts its answers and
# writes down what it did not get.

traffic=$root/opt/traffic

start_traffic() {
    mkdir -p "$traffic"
    cat >"$root/opt/ask" <<'ASK'
#!/bin/bash
# ask NAME STATUS CURL-ARGUMENT...: asks for ever.
name=$1 wanted=$2 count=0
shift 2
while :; do
    answer=$(curl -s -o /dev/null -w '%{exitcode} status %{http_code} %{errormsg}' --max-time 60 "$@")
    [[ $answer == "0 status $wanted "* ]] || echo "$EPOCHREALTIME exit $answer" >>"/opt/traffic/$name.lost"
    echo $((++count)) >"/opt/traffic/$name.count"
    sleep 0.02
done
ASK
    chmod 0755 "$root/opt/ask"
    ask front 204 -H 'Host: app.example.com' "http://$front/"
    ask control 200 --unix-socket /run/adit/adit.sock http://adit/v1/version
    ask metrics 200 http://127.0.0.1:9738/metrics
}

ask() { inside systemd-run --quiet --unit="ask-$1" /opt/ask "$@"; }

asked() {
    local count=''
    [ -e "$traffic/$1.count" ] || count=0
    # It is empty for a moment whenever it is written.
    until [ -n "$count" ]; do count=$(cat "$traffic/$1.count"); done
    echo "$count"
}
lost() { cat "$traffic/$1.lost" 2>/dev/null || true; }

# Forgets what was lost so far, once nobody waits for an answer any more.
kept_traffic() {
    settle front control metrics
    rm -f "$traffic"/*.lost
}

# settle NAME...: every request that was under way is answered, and one more.
settle() {
    local name goal
    for name; do
        goal=$(($(asked "$name") + 2))
        has_come() { [ "$(asked "$name")" -ge "$goal" ]; }
        until_within 75 "$name is answered" has_come
    done
}

# expect_nothing_lost NAME...: every request was answered as it should be.
expect_nothing_lost() {
    local name
    settle "$@"
    for name; do
        [ -z "$(lost "$name")" ] || fail "lost at $name: $(lost "$name" | head -n 5)"
    done
}

# expect_no_refusal NAME...: everybody was let in (curl's 7: cannot connect). A daemon that dies cuts those whom it is answering.
expect_no_refusal() {
    local name
    settle "$@"
    for name; do
        if lost "$name" | grep -v -E 'exit (52|56) '; then fail "refused at $name"; fi
    done
}

# start_load: many visitors at once, beside those who ask one after another.
start_load() {
    nsenter --net="/proc/$sandbox/ns/net" python3 tests/systemd/load.py "$front" app.example.com >"$overlay/load" 2>&1 &
    load=$!
}

# expect_no_load_lost: they stop, and all of them were answered.
expect_no_load_lost() {
    kill "$load"
    wait "$load" || fail "visits were lost: $(cat "$overlay/load")"
    cat "$overlay/load"
}
