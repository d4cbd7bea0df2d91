# Whoever followed since the start has seen everything once, over every restart, crash and upgrade so far.

step 'followers have missed nothing and seen nothing twice'
ids() { grep -o '^{"id":[0-9]*\|"id": *[0-9]*' | grep -o '[0-9]*$'; }
followed_events() { ids <"$traffic/events.out"; }
# Not by head, which would not read to the end: whoever writes into a pipe that nobody reads any more fails.
first=$(followed_events | sed -n 1p)
kept_events() { inside adit -o json events -n 10000 --since "$((first - 1))" | ids; }
same_events() { [ "$(followed_events)" = "$(kept_events)" ]; }
until_true 'every event was followed' same_events
printf '%s events\n' "$(followed_events | wc -l)"
# A line has no number that outlives the daemon: time, replica and text are compared.
followed_lines() { sort "$traffic/logs.out"; }
kept_lines() { inside adit logs web -n 10000 | sort; }
same_lines() { [ "$(followed_lines)" = "$(kept_lines)" ]; }
until_true 'every line was followed, once' same_lines
printf '%s lines\n' "$(followed_lines | wc -l)"
