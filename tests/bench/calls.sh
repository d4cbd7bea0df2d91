#!/usr/bin/env bash
# How many API calls and how much time it takes to provision, look, change and tear down 1, 100 and 1,000 tunnels in one zone, and how long
# the planner thinks about 1,000 tunnels with 10,000 records: the reconciler in a release build, against the sandbox on loopback, without the
# budget, which is what a real run waits for (3 calls a second by default).
#
#     tests/bench/calls.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo test --locked --release --quiet --test reconciler scale::figures -- --ignored --exact --nocapture | grep -v '^$'
