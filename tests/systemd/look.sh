# What is looked at: the unit as systemd sees it, connectors as the kernel sees them, tunnels as the daemon says.

property() { inside systemctl show -P "$1" adit; }
daemon() { property MainPID; }
connectors() { inside pgrep -u adit -f 'cloudflared tunnel' | sort | tr '\n' ' '; }
serving() { [ "$(inside curl -s -o /dev/null -w '%{http_code}' -H 'Host: app.example.com' "http://$front/")" = 204 ]; }
# The tunnel and both of its connectors.
ready() { [ "$(inside adit -o json status | grep -o '"state": *"ready"' | wc -l)" -ge 3 ]; }
is_state() { [ "$(property ActiveState)" = "$1" ]; }
control_inode() { inside stat -c %i /run/adit/adit.sock; }
kept_listeners() { property NFileDescriptorStore; }
keeps_both_listeners() { [ "$(kept_listeners)" = 2 ]; }
now() { inside date '+%F %T'; }

# The daemon with this number is gone and the next one runs.
is_next() { local pid; pid=$(daemon) && [ "$pid" != "$1" ] && [ "$pid" != 0 ] && is_state active; }

# Remembers which connectors run, and that they serve.
remember() {
    until_true 'both connectors are ready' ready
    before=$(connectors)
    [ "$(wc -w <<<"$before")" = 2 ] || fail "two connectors should run: $before"
    kept_traffic
}

# The same processes, both ready, and systemd keeps both listeners.
expect_same_connectors() {
    until_true 'both connectors are ready again' ready
    [ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"
    [ "$(kept_listeners)" = 2 ] || fail "systemd keeps $(kept_listeners) descriptors instead of 2"
}

# is_replaced VICTIM: both connectors are ready, and this process is none of them.
is_replaced() { ready && [ "$(connectors | wc -w)" = 2 ] && ! connectors | grep -qw "$1"; }

# drop_in NAME LINES: settings for a test that would take too long with the shipped ones.
drop_in() {
    install -d -m 0755 "$root/etc/systemd/system/adit.service.d"
    printf '%s\n' "$2" >"$root/etc/systemd/system/adit.service.d/$1.conf"
    inside systemctl daemon-reload
}

drop_out() {
    rm "$root/etc/systemd/system/adit.service.d/$1.conf"
    inside systemctl daemon-reload
}
