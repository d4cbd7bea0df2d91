step 'a daemon that hangs is restarted: connectors stay'
drop_in patience $'[Service]\nTimeoutStopSec=2s'
remember
pid=$(daemon)
inside kill -STOP "$pid"
inside systemctl restart adit
is_next "$pid" || fail 'the daemon is the same'
expect_same_connectors
expect_nothing_lost front
expect_no_refusal control metrics

step 'a daemon that hangs is stopped: what it left is ended'
for asker in front control metrics; do inside systemctl stop "ask-$asker"; done
inside kill -STOP "$(daemon)"
inside systemctl stop adit
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
is_state failed || fail "systemd tells of the time-out: $(property ActiveState)"
drop_out patience

step 'stop: everything drained, nothing left'
inside systemctl reset-failed adit
inside systemctl start adit
until_true 'both connectors are ready' ready
since=$(now)
inside systemctl stop adit
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
[ "$(property Result)" = success ] || fail "the unit ended with $(property Result)"
[ ! -e "$root/run/adit/adit.sock" ] || inside test ! -e /run/adit/adit.sock || fail 'the socket is left'
if said "$since" 'killed what the daemon left behind'; then fail 'there was something left to kill'; fi
