# What the journal tells, after a provision, crashes and restarts: the daemon's events and the connectors' lines.

step 'journalctl ADIT_TUNNEL=web tells from cause to effect, with fields'
remember
# With last words, and without.
for signal in TERM KILL; do
    victim=${before%% *}
    inside kill -"$signal" "$victim"
    until_true 'it is replaced' is_replaced "$victim"
    before=$(connectors)
done
journal_of_web() { inside journalctl ADIT_TUNNEL=web --no-pager -o json; }
journal_of_web | python3 tests/systemd/order.py 2 || fail 'the journal is not in order'
[ -n "$(inside journalctl ADIT_TUNNEL=web ADIT_EVENT=connector-exited PRIORITY=4 --no-pager -o cat)" ] ||
    fail 'a crash cannot be found by its fields'

step 'no secret is in the journal, at the loudest that there is, nor in what is kept, nor of any process'
# Two connectors run, ready, and so many of them say all that they can say.
loud() { [ "$(connectors | wc -w)" = 2 ] && [ "$(inside pgrep -c -u adit -f -- '--loglevel debug' || true)" = "$1" ] && ready; }
cp "$root/var/lib/adit/records/web.toml" "$overlay/former.toml"
drop_in loud $'[Service]\nEnvironment=ADIT_LOG=trace'
sed 's|^journal = "all"$|&\nextra_args = ["--loglevel", "debug"]|' "$overlay/good.toml" >"$root/etc/adit/adit.toml"
inside systemctl restart adit
until_true 'the connectors are loud' loud 2
before=$(connectors)
delivered=$(deliveries)
inside kill -KILL "${before%% *}"
until_true 'it is replaced' loud 2
is_delivered_again() { [ "$(deliveries)" -gt "$delivered" ]; }
until_true 'the receiver is told' is_delivered_again
inside adit credential check >/dev/null || fail 'the credential is not what it should be'
inside adit tunnel rotate web --yes --wait 2>/dev/null || fail 'the secret is not rotated'
is_loud() { [ -n "$(inside journalctl -u adit PRIORITY=7 --no-pager -o cat -n 1)" ]; }
until_true 'the journal holds what is loudest' is_loud
inside journalctl --no-pager --all -o export |
    python3 tests/systemd/secrets.py "/proc/$leader/root" "$overlay/token" "$overlay/webhook-secret" "$overlay/former.toml" || fail 'a secret is told'
drop_out loud
stop_hooks
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl restart adit
until_true 'the connectors are as they were' loud 0
kept_traffic
