# A unit that systemd gave up: nobody looks after the connectors, but they run, and a start by hand finds them.

step 'start limit: the unit fails, connectors serve on, a start by hand adopts them'
remember
drop_in limit $'[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1'
# One more start is allowed, and then none.
pid=$(daemon)
inside kill -KILL "$pid"
until_true 'the next daemon runs' is_next "$pid"
inside kill -KILL "$(daemon)"
until_true 'the unit has failed' is_state failed
[ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"
settle front
drop_out limit
inside systemctl reset-failed adit
inside systemctl start adit
expect_same_connectors
expect_nothing_lost front

step 'a daemon without any configuration that it could run: its connectors go on, and it says why'
remember
inside mv /var/lib/adit/accepted /var/lib/adit/elsewhere
printf 'nonsense = 1\n' >>"$root/etc/adit/adit.toml"
pid=$(daemon)
inside kill -KILL "$pid"
until_true 'the next daemon runs' is_next "$pid"
expect_same_connectors
shown=$(inside adit status || true)
[[ $shown == *nonsense* ]] || fail "the status does not say what is wrong with the files: $shown"
expect_nothing_lost front
expect_no_refusal control metrics

step 'its files are set right: it takes them, and nobody notices'
remember
inside mv /var/lib/adit/elsewhere /var/lib/adit/accepted
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl reload adit
expect_same_connectors
expect_nothing_lost front control metrics
