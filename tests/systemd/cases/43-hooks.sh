# Who is told outside of Adit: a program in the unit's sandbox, and a receiver beside the machine. Both are still told when the journal
# is searched for secrets.

# The program of the guide, which says what it may do as well, and fails where it is to fail.
install_notify() {
    {
        sed -n '/^#!\/bin\/sh$/,/^```$/p' packaging/docs/hooks.md | sed '$d'
        cat <<'MORE'
[ "$kind" = connector-exited ] || exit 0
{
    id -un
    pwd
    env | grep -vE '^(PWD|OLDPWD|SHLVL|_)='
    grep -E '^(NoNewPrivs|CapEff|CapBnd):' /proc/self/status | tr -d '\t'
    cp /bin/true /tmp/true && /tmp/true && echo 'runs from /tmp'
    touch /tmp/it && echo 'writes in /tmp'
    touch /etc/adit/it && echo 'writes in /etc'
    cp /bin/true /var/lib/adit/true && /var/lib/adit/true && echo 'runs from the state'
} 2>/dev/null | logger -t adit-notify
rm -f /var/lib/adit/true
echo 'nobody is there' >&2
exit 3
MORE
    } | install -m 0755 /dev/stdin "$root/usr/local/bin/notify"
}

# As the guide says it.
store_webhook_secret() {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$overlay/webhook-secret"
    inside systemd-creds encrypt --name=webhook-secret - /etc/credstore.encrypted/webhook-secret <"$overlay/webhook-secret" 2>/dev/null
    drop_in webhook $'[Service]\nLoadCredentialEncrypted=webhook-secret'
}

start_receiver() {
    nsenter --net="/proc/$sandbox/ns/net" python3 tests/systemd/receiver.py "$overlay/webhook-secret" >"$overlay/deliveries" 2>&1 &
    receiver=$!
    until_true 'the receiver listens' test -s "$overlay/deliveries"
}

deliveries() { grep -c '"signed": true' "$overlay/deliveries" || true; }

# From the next start of the daemon on.
stop_hooks() {
    rm "$root/etc/adit/conf.d/hooks.toml" "$root/etc/credstore.encrypted/webhook-secret"
    drop_out webhook
    kill "$receiver"
    wait "$receiver" 2>/dev/null || true
    receiver=''
}

step 'hooks are told of an event: a program without privileges, and a receiver with a signature'
remember
install_notify
store_webhook_secret
start_receiver
cat >"$root/etc/adit/conf.d/hooks.toml" <<HOOKS
[hooks]
on_event = ["/usr/local/bin/notify"]
[hooks.webhook]
url = "http://127.0.0.1:$(head -n 1 "$overlay/deliveries")/adit"
secret = { credential = "webhook-secret" }
HOOKS
inside systemctl restart adit
expect_same_connectors
victim=${before%% *}
inside kill -KILL "$victim"
noted() { inside journalctl -t adit-notify --no-pager -o cat; }
noted_all() { diff <(noted) - <<'NOTED'
adit
/
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CapEff:0000000000000000
CapBnd:0000000000000000
NoNewPrivs:1
writes in /tmp
NOTED
}
until_true 'the program is told, and can do what it may and no more' noted_all
inside journalctl -t adit-connector-exited --no-pager -o cat | grep -q '"kind":"connector-exited".*"tunnel":"web"' ||
    fail 'the program of the guide tells something else'
has_failed() { inside journalctl ADIT_EVENT=hook-failed ADIT_REASON=command --no-pager -o cat | grep -q 'nobody is there'; }
until_true 'what the program complained of is in the journal' has_failed
is_delivered() { grep -q '"signed": true, "path": "/adit".*"kind": "connector-exited".*"tunnel": "web"' "$overlay/deliveries"; }
until_true 'the receiver is told' is_delivered
if grep -q '"signed": false' "$overlay/deliveries"; then fail 'a delivery is not signed as the guide says'; fi
until_true 'both connectors are ready' ready
kept_traffic
