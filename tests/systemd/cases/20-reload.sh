step 'reload: a bad file is refused, the unit stays active'
remember
printf 'nonsense = 1\n' >>"$root/etc/adit/adit.toml"
if inside systemctl reload adit 2>/dev/null; then fail 'the reload of a bad file succeeded'; fi
is_state active || fail 'the unit is not active after a refused reload'
says_mistake() { property StatusText | grep -q "the configuration's files are not in force: .*nonsense"; }
until_true 'the status line tells of the mistake' says_mistake
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl reload adit || fail 'the reload of a good file failed'
until_true 'the status line counts again' counts
[ "$(connectors)" = "$before" ] || fail 'a reload started connectors'
expect_nothing_lost front control metrics

step 'reload: metrics move, and move back'
printf '[metrics]\nlisten = "unix:/run/adit/metrics.sock"\n' >>"$root/etc/adit/adit.toml"
inside systemctl reload adit
scraped() { inside curl -s --fail --unix-socket /run/adit/metrics.sock http://adit/metrics | grep -q '^adit_'; }
until_true 'metrics are on the socket' scraped
until_true 'systemd keeps the listener that is in use' keeps_both_listeners
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl reload adit
until_true 'metrics are back' inside curl -s --fail -o /dev/null http://127.0.0.1:9738/metrics
expect_nothing_lost front control
until_true 'systemd keeps that listener' keeps_both_listeners
until_true 'the socket is gone' test ! -e "$root/run/adit/metrics.sock"
