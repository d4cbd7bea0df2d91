# What the scripts share that look through a real Prometheus: one in $work/prometheus that scrapes a daemon. Needs curl, python3
# and what host.sh has as companion.
#
# Nothing needs root, and everything listens on a loopback address of this run alone.

prometheus='' prometheus_url=''

# loopback_address: 127.x.y.z, another one for each running script. What listens there needs no port of its own, and whoever takes a
# port of 127.0.0.1 is not in the way, also while a daemon is being started again.
loopback_address() {
    printf '127.%s.%s.%s\n' $((64 + $$ / 62500 % 128)) $(($$ / 250 % 250)) $((2 + $$ % 250))
}

# start_prometheus TARGET [RULES...]: scrapes http://TARGET/metrics as job "adit" each second and evaluates the files of rules as often.
# It returns when Prometheus is ready and has scraped. Its process is $prometheus, its API is at $prometheus_url.
start_prometheus() {
    local target=$1 rules
    shift
    mkdir -p "$work/prometheus"
    {
        printf 'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n'
        printf 'scrape_configs:\n  - job_name: adit\n    static_configs: [{ targets: ["%s"] }]\n' "$target"
        [ $# -eq 0 ] || printf 'rule_files:\n'
        for rules in "$@"; do printf '  - "%s"\n' "$(realpath "$rules")"; done
    } >"$work/prometheus/prometheus.yml"
    promtool check config "$work/prometheus/prometheus.yml" >"$work/prometheus/check.log" 2>&1 ||
        fail "promtool refuses the configuration of Prometheus: $(cat "$work/prometheus/check.log")"
    # Port 0 is any free one; it says in its log which.
    prometheus --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" \
        --web.listen-address="$(loopback_address):0" >"$work/prometheus/prometheus.log" 2>&1 &
    prometheus=$!
    companion "$prometheus"
    until_true 'Prometheus listens, or has ended' prometheus_listens_or_is_gone
    kill -0 "$prometheus" 2>/dev/null || fail "Prometheus ended: $(tail -n 5 "$work/prometheus/prometheus.log")"
    prometheus_url=http://$(prometheus_address)
    until_true 'Prometheus is ready' curl -sS --fail --max-time 5 "$prometheus_url/-/ready"
    until_true "Prometheus has scraped $target" has_series 'up{job="adit"} == 1'
}

prometheus_address() {
    sed -n 's/.*msg="Listening on".* address=\([0-9.:]*\).*/\1/p' "$work/prometheus/prometheus.log" | head -n 1
}

prometheus_listens_or_is_gone() {
    [ -n "$(prometheus_address)" ] || ! kill -0 "$prometheus" 2>/dev/null
}

# query QUERY: its value now, a line for each series: the value, a tab, the labels as sorted JSON. No series, no line.
# It fails, and says why, where Prometheus cannot answer.
query() {
    ask_prometheus query --data-urlencode "query=$1"
}

# query_range QUERY START END STEP: its values between two times in Unix seconds, a line for each sample: the value, a tab, the
# labels as sorted JSON, a tab, the time.
query_range() {
    ask_prometheus query_range --data-urlencode "query=$1" --data-urlencode "start=$2" --data-urlencode "end=$3" --data-urlencode "step=$4"
}

# has_series QUERY: whether there is any.
has_series() {
    [ -n "$(query "$1")" ]
}

# alerts: a line for each that is pending or firing: the state, a tab, the name, a tab, the labels as sorted JSON.
alerts() {
    ask_prometheus alerts
}

# alert_is STATE NAME: whether such an alert is in this state, whatever its labels.
alert_is() {
    alerts | grep "^$1"$'\t'"$2"$'\t' >/dev/null
}

ask_prometheus() {
    local what=$1
    shift
    curl -sS --max-time 10 --get "$@" "$prometheus_url/api/v1/$what" | python3 -c '
import json, sys

answer = json.load(sys.stdin)
if answer["status"] != "success":
    sys.exit("Prometheus refuses: " + answer["error"])
labels = lambda of: json.dumps(of, sort_keys=True, separators=(",", ":"))
data = answer["data"]
for alert in data.get("alerts", []):
    print(alert["state"], alert["labels"]["alertname"], labels(alert["labels"]), sep="\t")
if data.get("resultType") in ("scalar", "string"):
    print(data["result"][1], labels({}), sep="\t")
for series in data.get("result", []) if data.get("resultType") in ("vector", "matrix") else []:
    if "value" in series:
        print(series["value"][1], labels(series["metric"]), sep="\t")
    for time, value in series.get("values", []):
        print(value, labels(series["metric"]), time, sep="\t")
'
}
