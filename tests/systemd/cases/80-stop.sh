# A stop ends everything, and only a stop does, whatever state the daemon is in.

# A daemon that does nothing any more, not even on SIGCONT, which systemd sends along with the signal of a stop.
freeze() { inside sh -c "echo 1 >/sys/fs/cgroup$frozen/cgroup.freeze"; }
# The next daemon may find the cgroup of the last one, or it is gone.
thaw() { inside sh -c "echo 0 >/sys/fs/cgroup$frozen/cgroup.freeze" 2>/dev/null || true; }
hang() {
    pid=$(daemon)
    frozen=$(inside sed -n 's/^0:://p' "/proc/$pid/cgroup")
    [ "${frozen##*/}" != adit.service ] || fail 'the daemon has no cgroup of its own'
    freeze
}

step 'SIGSTOP of the daemon, then a restart: connectors stay'
remember
pid=$(daemon)
inside kill -STOP "$pid"
inside systemctl restart adit
is_next "$pid" || fail 'the daemon is the same'
expect_same_connectors
expect_nothing_lost front control metrics

step 'a daemon that hangs is restarted: connectors stay'
drop_in patience $'[Service]\nTimeoutStopSec=2s'
remember
hang
inside systemctl restart --no-block adit
is_gone() { ! inside test -e "/proc/$pid"; }
until_true 'systemd has killed the daemon' is_gone
thaw
until_true 'the next daemon runs' is_next "$pid"
expect_same_connectors
expect_nothing_lost front
expect_no_refusal control metrics

step 'a daemon that hangs is stopped: what it left is ended'
for asker in front control metrics; do inside systemctl stop "ask-$asker"; done
for follower in events logs; do inside systemctl stop "follow-$follower"; done
since=$(now)
hang
inside systemctl stop adit
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
is_state failed || fail "systemd does not tell of the time-out: $(property ActiveState)"
[ "$(inside journalctl -u adit --no-pager -o cat --since "$since" | grep -c 'killed what the daemon left behind')" = 2 ] ||
    fail 'the journal does not tell of both connectors'
drop_out patience

step 'stop: everything drained, nothing left'
inside systemctl reset-failed adit
inside systemctl start adit
until_true 'both connectors are ready' ready
since=$(now)
inside systemctl stop adit
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
[ "$(property Result)" = success ] || fail "the unit ended with $(property Result)"
inside test ! -e /run/adit/adit.sock || fail 'the control socket is left'
[ "$(inside ls /run/adit/private/generations | wc -l)" = 0 ] || fail "records are left: $(inside ls /run/adit/private/generations)"
