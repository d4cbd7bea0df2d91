#!/usr/bin/env bash
# Searches for bytes that break a law of src/fuzzing.rs.
#
#     tests/fuzz.sh [SECONDS [TARGET ...]]
#
# Each target runs for so many seconds (15), as many at once as ADIT_FUZZ_JOBS says (as there are processors). The same tree is searched
# the same way each time, unless ADIT_FUZZ_SEED is another number than 1 or something was learnt: that stays in target/fuzz/learnt, for
# the next search. What is found is printed and stays in target/fuzz/found, and once it is mended belongs into the target's corpus in
# tests/fuzz/corpus, which `cargo test` tries as well.
#
# Needs cargo-fuzz and a C++ compiler. The Rust compiler is asked for no sanitizer: only what is unsafe has need of one, and a stable
# compiler has the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-15}
shift || true
jobs=${ADIT_FUZZ_JOBS:-$(nproc)}
seed=${ADIT_FUZZ_SEED:-1}
corpora=tests/fuzz/corpus
work=target/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
program=$work/$triple/release/adit-fuzz

# The build itself would bring an old lock up to date.
cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null
cargo fuzz build --fuzz-dir tests/fuzz --target-dir "$work" --sanitizer none
targets=("$@")
[ "$#" -gt 0 ] || targets=("$corpora"/*)
targets=("${targets[@]##*/}")
mkdir -p "$work/found" "$work/logs"

# shellcheck disable=SC2317 # xargs calls it
# One target: what its corpus has first, then whatever comes of it.
fuzz() {
    local target=$1 options=()
    mkdir -p "$work/learnt/$target"
    [ -f "tests/fuzz/dictionaries/$target" ] && options+=("-dict=tests/fuzz/dictionaries/$target")
    ADIT_FUZZ=$target "$program" "$work/learnt/$target" "$corpora/$target" "${options[@]}" -artifact_prefix="$work/found/$target-" \
        -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 >"$work/logs/$target" 2>&1
}
export -f fuzz
export seconds seed corpora work program

status=0
# shellcheck disable=SC2016 # that shell expands it
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'fuzz {} || touch "$work/logs/{}.broken"' || status=$?

total=0
printf '%-14s %12s %9s %7s\n' target executions coverage corpus
for target in "${targets[@]}"; do
    log=$work/logs/$target
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    last=$(grep -E '^#[0-9]+' "$log" | grep -E ' cov: ' | tail -n 1 || true)
    coverage=$(sed -nE 's/.* cov: ([0-9]+).*/\1/p' <<<"$last")
    corpus=$(sed -nE 's/.* corp: ([0-9]+).*/\1/p' <<<"$last")
    printf '%-14s %12s %9s %7s\n' "$target" "${executions:-?}" "${coverage:-?}" "${corpus:-?}"
    total=$((total + ${executions:-0}))
    if [ -e "$log.broken" ]; then
        rm "$log.broken"
        status=1
        grep -A 3 -m 1 'panicked at' "$log" || tail -n 20 "$log"
        found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$found" ] || { echo "$found:" && base64 "$found"; }
        echo "broken: $target" >&2
    fi
done
echo "$total executions of ${#targets[@]} targets, $seconds s each"
exit "$status"
