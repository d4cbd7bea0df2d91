# Whoever followed since the start has seen everything once, over every restart, crash and upgrade so far.

step 'followers have missed nothing and seen nothing twice'
ids() { grep -o '^{"id":[0-9]*\|"id": *[0-9]*' | grep -o '[0-9]*$'; }
followed_events() { ids <"$traffic/events.jsonl"; }
first=$(followed_events | head -n 1)
kept_events() { inside adit -o json events -n 10000 --since "$((first - 1))" | ids; }
same_events() { [ "$(followed_events)" = "$(kept_events)" ]; }
until_true 'every event was followed' same_events || diff <(followed_events) <(kept_events) | head
printf '%s events\n' "$(followed_events | wc -l)"
# A line has no number that outlives the daemon: time, replica and text are compared, from the first one that was followed.
lines() { sed 's/"id": *[0-9]*,//'; }
followed_lines() { lines <"$traffic/logs.jsonl" | sort; }
since=$(grep -o '"at": *"[^"]*"' "$traffic/logs.jsonl" | sort | head -n 1)
kept_lines() { inside adit -o json logs web -n 10000 | tr -d '\n' | sed 's/} *, *{/}\n{/g; s/^\[ *//; s/ *\]$//' | sed 's/: /:/g; s/, */,/g; s/{ */{/; s/ *}/}/' | lines | sort; }
comm -23 <(kept_lines) <(followed_lines) >"$overlay/missed"
comm -13 <(kept_lines) <(followed_lines) >"$overlay/twice"
printf '%s lines\n' "$(followed_lines | wc -l)"
[ ! -s "$overlay/missed" ] && [ ! -s "$overlay/twice" ] || fail "missed: $(head -n 3 "$overlay/missed") seen more often: $(head -n 3 "$overlay/twice")"
