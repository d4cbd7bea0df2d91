#!/usr/bin/env bash
# scrape.sh WORK: what a Prometheus makes of the machine's metrics. It runs in the machine's network.
set -euo pipefail
work=$1
. tests/support/wait.sh
. tests/support/prometheus.sh
# As in host.sh, which this does without: what is started ends with the script.
companion() { trap "kill $1; wait $1 || true" EXIT; }

start_prometheus 127.0.0.1:9738
is_one() { [ "$(query "$1" | cut -f 1)" = 1 ]; }
for query in 'up{job="adit"}' 'adit_tunnel_state{tunnel="web",state="ready"}' 'adit_connector_up{tunnel="web",replica="0"}' \
    'adit_connector_up{tunnel="web",replica="1"}' 'adit_uplink_up' 'count(adit_build_info)'; do
    until_true "$query is 1" is_one "$query"
done
query 'scrape_samples_scraped{job="adit"}' | sed 's/\t.*/ samples/'
