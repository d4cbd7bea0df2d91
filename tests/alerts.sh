#!/usr/bin/env bash
# Whether each alert of packaging/prometheus/adit.rules.yml fires in a real Prometheus from a fault of its own on a running daemon, and
# resolves when that is mended. Nothing fires before. An alert without a fault in here fails the suite.
#
#     cargo build --release && tests/alerts.sh
#
# The rules are the shipped ones with each minute made a second. Needs prometheus and promtool (Debian: prometheus), curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
. tests/support/prometheus.sh
rules=packaging/prometheus/adit.rules.yml
metrics=$(loopback_address):9738
origin_address=$(loopback_address):8080
seen=()

on_failure() {
    [ -z "$prometheus" ] || alerts || true
    tail -n 20 "$work/daemon.log"
    adit status || true
}

# The configuration, with what is given besides.
write_configuration() {
    {
        host_configuration | sed -e '/^\[health\]$/a interval = "1s"\noutside_interval = "1s"' -e '/^\[daemon\]$/a sync_interval = "1s"'
        # It fails while the file is there.
        printf '[hooks]\non_event = ["/usr/bin/test", "!", "-e", "%s/hook-fails"]\n' "$work"
        tunnel origin '' "http://$origin_address"
        tunnel visited 'health = { origin = "off", outside = { http = "/page" } }' "http://$origin_address"
        tunnel storm 'replicas = 6'
        tunnel pair 'replicas = 2'
        tunnel lonely ''
        tunnel refused 'protocol = "http2"'
        tunnel leaked ''
        tunnel stopped ''
        tunnel repaired ''
        tunnel edited 'on_drift = "report"'
        printf '%s\n' "$@"
    } >"$work/adit.toml.new"
    mv "$work/adit.toml.new" "$work/adit.toml"
}

# What stands behind two tunnels: it takes connections, and has a page.
start_origin() {
    python3 -m http.server --bind "${origin_address%:*}" --directory "$work/pages" "${origin_address##*:}" >"$work/origin.log" 2>&1 &
    origin=$!
    companion "$origin"
    until_true 'the origin answers' curl -sS --fail --max-time 5 "http://$origin_address/"
}

# reload: good files are in force when it returns.
reload() { adit config reload >/dev/null 2>"$work/reload.log"; }

# pids TUNNEL: its connectors' processes.
pids() { adit tunnel show "$1" -o json | of_json '*(each["pid"] for each in it["connectors"] if each["pid"])'; }

tunnel_id() { adit tunnel show "$1" -o json | of_json 'it["id"]'; }

# fires ALERT...: each fires, within a minute.
fires() {
    local alert
    for alert in "$@"; do
        until_within 60 "$alert fires" alert_is firing "$alert"
        printf '   %s fires (%s s)\n' "$alert" "$SECONDS"
        seen+=("$alert")
    done
}

# Not grep -q: it ends at its first hit, and whoever writes to it fails then.
is_quiet() { ! alerts | grep $'\t'"$1"$'\t' >/dev/null; }

# resolves ALERT...: each is over, within a minute and a half.
resolves() {
    local alert
    for alert in "$@"; do
        until_within 90 "$alert resolves" is_quiet "$alert"
        printf '   %s is resolved (%s s)\n' "$alert" "$SECONDS"
    done
}

nothing_fires() {
    local firing
    firing=$(alerts | grep "^firing" || true)
    [ -z "$firing" ] || fail "alerts fire: $firing"
}

nothing_is_told() { [ -z "$(alerts)" ]; }

all_ready() { adit status >/dev/null; }

step 'a host where all is well'
start_sandbox
mkdir "$work/pages"
touch "$work/pages/page"
start_origin
write_configuration
start_daemon
until_true 'all tunnels are ready' all_ready
adit tunnel stop stopped --yes >/dev/null 2>&1
account=$(adit status -o json | of_json 'it["accounts"][0]["id"]')
zone=$(api GET '/zones?name=example.com' | of_json 'it["result"][0]["id"]')

# A minute of the rules is a second here; nothing else of them is changed.
sed -E 's/(for: [0-9]+)m$/\1s/; s/\[([0-9]+)m\]/[\1s]/g' "$rules" >"$work/rules.yml"
start_prometheus "$metrics" "$work/rules.yml"
# More scrapes than the longest wait of an alert before it fires has seconds.
until_within 60 'every alert could have fired' has_series 'count_over_time(up{job="adit"}[1m]) > 17'
nothing_fires

step 'somebody at Cloudflare: a leaked token, edits, few requests left, an API token that ends'
cat "$work/sandbox/expiring-token" >"$work/sandbox/token"
tell 'requests 100'
secret=$(api GET "/accounts/$account/cfd_tunnel/$(tunnel_id leaked)/token" | of_json 'it["result"]')
TUNNEL_EDGE=$edge TUNNEL_TOKEN=$secret "$work/sandbox/cloudflared" tunnel --metrics 127.0.0.1:0 run >"$work/rogue.log" 2>&1 &
rogue=$!
companion "$rogue"
configuration=/accounts/$account/cfd_tunnel/$(tunnel_id edited)/configurations
api GET "$configuration" | of_json 'json.dumps({"config": {"ingress": it["result"]["config"]["ingress"]}})' >"$work/before.json"
api PUT "$configuration" --data '{"config": {"ingress": [{"service": "http_status:418"}]}}' >/dev/null
repaired_record() { api GET "/zones/$zone/dns_records?name=repaired.example.com" | of_json 'it["result"][0]["id"]'; }
for round in 1 2 3 4; do
    until_true "the record is there again ($round)" repaired_record
    api DELETE "/zones/$zone/dns_records/$(repaired_record)" >/dev/null
done
fires AditDriftReturns

step 'connectors that crash again and again'
for round in 1 2; do
    until_true "all of them run ($round)" has_series 'sum(adit_connector_up{tunnel="storm"}) == 6'
    # shellcheck disable=SC2046 # one word a process
    kill -KILL $(pids storm)
    until_true "they are seen to be gone ($round)" has_series 'sum(adit_connector_up{tunnel="storm"}) < 6'
done
fires AditRestartStorm AditBudgetLow
tell 'requests 1200'

step 'a page that is gone, and a hook that fails to tell of it'
touch "$work/hook-fails"
rm "$work/pages/page"
fires AditProbeFailing AditHookFailing
rm "$work/hook-fails"
touch "$work/pages/page"
resolves AditProbeFailing

step 'a service that is down'
end_companion "$origin"
fires AditOriginDown
start_origin

step 'names of others, a hostname without a zone, and then files with a mistake'
foreign=$(api POST "/zones/$zone/dns_records" --data '{"type": "A", "name": "taken.example.com", "content": "192.0.2.1", "ttl": 1, "proxied": true}' |
    of_json 'it["result"]["id"]')
write_configuration '[tunnels.taken]' \
    'ingress = [{ hostname = "taken.example.com", service = "http_status:204" }, { hostname = "app.example.org", service = "http_status:204" }]'
reload
write_configuration 'mistake = true'
reload && fail 'files with a mistake were taken'
fires AditConfigRefused AditDrift AditRogueConnector AditHold AditConflict AditTokenExpiring AditTokenExpiresToday

step 'all of that is mended'
end_companion "$rogue"
cat "$work/sandbox/account-token" >"$work/sandbox/token"
api PUT "$configuration" --data @"$work/before.json" >"$work/answer.json" || fail "$(cat "$work/before.json" "$work/answer.json")"
api DELETE "/zones/$zone/dns_records/$foreign" >/dev/null
write_configuration
reload
resolves AditHookFailing AditOriginDown AditConfigRefused AditDrift AditHold AditConflict AditTokenExpiring AditTokenExpiresToday AditBudgetLow AditRogueConnector

step 'connectors that are refused'
tell 'registrations refused'
kill -KILL "$(pids refused)"
fires AditConnectorBlocked
tell 'registrations open'
resolves AditConnectorBlocked

step 'connectors that get no connection, and an API that fails'
tell 'starts stuck'
kill -KILL "$(pids lonely)"
pair=$(pids pair)
kill -KILL "${pair%% *}"
tell 'api failing'
write_configuration '[tunnels.unmade]' 'ingress = [{ hostname = "unmade.example.com", service = "http_status:204" }]'
reload
fires AditTunnelDown AditTunnelDegraded AditSyncStale AditTunnelPending
tell 'starts free'
tell 'api well'
resolves AditTunnelDown AditTunnelDegraded AditSyncStale AditTunnelPending

step 'no way to the edge'
tell 'edge down'
fires AditUplinkDown
alert_is firing AditTunnelDown && fail 'tunnels are told of one by one without an uplink'
tell 'edge up'
resolves AditUplinkDown

step 'the daemon is killed, and stays away'
kill_daemon
fires AditDown
start_daemon
fires AditDaemonDied
resolves AditDown AditDaemonDied AditRestartStorm AditDriftReturns

step 'all is well again'
until_true 'all tunnels are ready' all_ready
until_true 'no alert is left' nothing_is_told
stop_daemon

unseen=0
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
    if [[ " ${seen[*]} " = *" $alert "* ]]; then
        printf '%-24s fired, resolved\n' "$alert"
    else
        printf '%-24s has no fault in this suite\n' "$alert"
        unseen=1
    fi
done
[ "$unseen" = 0 ] || fail 'an alert was not tried'
echo "every alert fires and resolves ($SECONDS s)"
