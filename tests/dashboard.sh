#!/usr/bin/env bash
# Every query of the Grafana dashboard gets data from a real Prometheus that scrapes a real daemon, on which something of everything
# has gone wrong.
#
#     cargo build --release && tests/dashboard.sh
#
# Needs Prometheus with promtool (Debian: prometheus), curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/support/host.sh
. tests/support/prometheus.sh
metrics=$(loopback_address):9738

# connector TUNNEL: the number of its first connector's process.
connector() {
    adit -o json tunnel show "$1" | of_json 'it["connectors"][0]["pid"]'
}

# metric LINE: whether the daemon exports what begins so.
metric() {
    curl -sS --max-time 5 "http://$metrics/metrics" | grep -- "^$1" >/dev/null
}

# visit HOSTNAME: a visitor that never stops, whatever it gets.
visit() {
    while :; do
        curl -s -o /dev/null -o /dev/null --max-time 10 -H "Host: $1" "$front/" "$front/missing" || true
        sleep 0.05
    done
}

step 'the sandbox, in which somebody holds a name'
start_sandbox
account=$(api GET /accounts | of_json 'it["result"][0]["id"]')
zone=$(api GET '/zones?name=example.com' | of_json 'it["result"][0]["id"]')
api POST "/zones/$zone/dns_records" --data '{ "type": "A", "name": "taken.example.com", "content": "192.0.2.1", "ttl": 300 }' >"$work/record.json"

step 'the daemon, with a token that expires, and an account whose token is refused'
(umask 077 && printf 'no-such-token-0123456789abcdefghijklmnop' >"$work/other-token")
{
    # Routes are checked as often as everything else.
    host_configuration | sed -e "s|/sandbox/token\"|/sandbox/expiring-token\"|" -e '/^\[daemon\]$/a sync_interval = "1s"' \
        -e '/^\[health\]$/a interval = "1s"\noutside_interval = "1s"'
    printf '[accounts.other]\napi_token = { file = "%s/other-token" }\napi_base = "%s"\n' "$work" "$base"
    printf '[hooks]\non_event = ["/usr/bin/cat"]\n'
    cat <<'TUNNELS'
[tunnels.web]
account = "sandbox"
health = { outside = "on" }
ingress = [
    { hostname = "app.example.com", path = "/missing", service = "http_status:404" },
    { hostname = "app.example.com", service = "http_status:204" },
]
[tunnels.shop]
account = "sandbox"
replicas = 2
ingress = [{ hostname = "shop.example.com", service = "http_status:503" }]
[tunnels.taken]
account = "sandbox"
ingress = [{ hostname = "taken.example.com", service = "http_status:204" }]
[tunnels.edited]
account = "sandbox"
on_drift = "report"
ingress = [{ hostname = "edited.example.com", service = "http_status:204" }]
[tunnels.refused]
account = "sandbox"
ingress = [{ hostname = "refused.example.com", service = "http_status:204" }]
[tunnels.waiting]
account = "other"
ingress = [{ hostname = "waiting.example.net", service = "http_status:204" }]
TUNNELS
    # An address of this run alone, where nobody listens.
    printf '[tunnels.dead]\naccount = "sandbox"\nhealth = { outside = "on" }\n'
    printf 'ingress = [{ hostname = "dead.example.com", service = "http://%s:1" }]\n' "$(loopback_address)"
} >"$work/adit.toml"
start_daemon
for tunnel in web shop dead taken edited refused; do
    until_true "$tunnel serves" metric "adit_tunnel_state{.*state=\"ready\",.*tunnel=\"$tunnel\".*} 1"
done
for host in app shop dead; do
    visit "$host.example.com" &
    companion $!
done
start_prometheus "$metrics" packaging/prometheus/adit.rules.yml
scraped_from=$(date +%s)
# What was scraped before is what later scrapes are compared with.
until_true 'a bar of the graphs is over' has_series 'adit_build_info offset 5s'

step 'somebody edits a configuration, and uses the token of a tunnel'
edited=$(adit -o json tunnel show edited | of_json 'it["id"]')
api PUT "/accounts/$account/cfd_tunnel/$edited/configurations" \
    --data '{ "config": { "ingress": [{ "service": "http_status:418" }] } }' >"$work/edit.json"
web=$(adit -o json tunnel show web | of_json 'it["id"]')
(umask 077 && api GET "/accounts/$account/cfd_tunnel/$web/token" | of_json 'it["result"]' >"$work/tunnel-token")
env -i TUNNEL_EDGE="$edge" "$work/sandbox/cloudflared" tunnel --config "" --no-autoupdate --metrics 127.0.0.1:0 run \
    --token-file "$work/tunnel-token" --token "" >"$work/stranger.log" 2>&1 &
companion $!

step 'a configuration changes'
sed -i 's|http_status:204" },|http_status:200" },|' "$work/adit.toml"
adit config reload

step 'a tunnel gets another secret behind our back, and connectors die and hang'
refused=$(adit -o json tunnel show refused | of_json 'it["id"]')
api PATCH "/accounts/$account/cfd_tunnel/$refused" \
    --data "{ \"tunnel_secret\": \"$(head -c 32 /dev/zero | base64)\" }" >"$work/secret.json"
kill -KILL "$(connector refused)" "$(connector web)"
kill -STOP "$(connector shop)"
adit tunnel stop --yes taken

step 'the daemon dies, and another one goes on'
kill_daemon
start_daemon

# It names what is missing of a token that is refused, and learns when the other one ends.
adit credential check >"$work/check.out" 2>&1 || true

step 'everything that went wrong shows'
for series in adit_hold 'adit_drift_items > 0' 'adit_conflicts > 0' 'adit_rogue_connectors > 0' 'adit_unclean_ends_total == 1' \
    'adit_connector_restarts_total > 0' 'adit_origin_up == 0' 'adit_probe_success == 0' 'adit_hook_deliveries_total > 0' \
    'adit_tunnel_desired_config_version > 1' adit_credential_expires_timestamp_seconds \
    'cloudflared_tunnel_tunnel_register_fail > 0' 'ALERTS{alertname=~"Adit.+", alertstate="firing"}'; do
    until_true "$series" has_series "$series"
done

step 'every query is asked'
python3 tests/dashboard/ask_everything.py packaging/grafana/adit.json "$prometheus_url" "$scraped_from" || fail 'a panel shows nothing'
