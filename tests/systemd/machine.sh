# The machine: a Debian tree, booted by systemd-nspawn with no network but its own loopback.

tree=${ADIT_TREE:-/var/tmp/adit-tree}
overlay=$(mktemp -d /var/tmp/adit-boot.XXXXXX)
root=$overlay/root
machine='' leader=''

inside() { nsenter -t "$leader" -a "$@"; }

on_failure() {
    [ -n "$leader" ] || return 0
    inside systemctl status adit --no-pager --lines=0
    inside journalctl --no-pager -n 60 -o short-precise
}

shut_down() {
    if [ -n "$machine" ]; then
        kill -KILL "$leader" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    umount "$root" 2>/dev/null || true
    rm -rf "$overlay"
}

make_tree() {
    [ ! -x "$tree/usr/lib/systemd/systemd" ] || return 0
    step 'make the tree'
    rm -rf "$tree"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl bookworm "$tree" >/dev/null
}

# Everything as a package would put it.
install_adit() {
    step 'install into a copy'
    mkdir "$overlay/upper" "$overlay/work" "$root"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$overlay/upper,workdir=$overlay/work" "$root"
    install -m 0755 "$1" "$root/usr/bin/adit"
    install -m 0644 systemd/adit.service "$root/usr/lib/systemd/system/adit.service"
    install -m 0644 packaging/adit.sysusers "$root/usr/lib/sysusers.d/adit.conf"
    install -d -m 0755 "$root/etc/adit" "$root/opt/sandbox"
    install -d -m 0700 "$root/etc/credstore.encrypted"
}

boot() {
    step 'boot'
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit \
        --private-network --kill-signal=SIGRTMIN+3 \
        --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' </dev/null >"$overlay/boot.log" 2>&1 &
    machine=$!
    has_leader() { leader=$(pgrep -P "$machine" -o) && [ -n "$leader" ]; }
    until_true 'the container has a first process' has_leader
    has_leader
    until_true 'systemd is up' inside sh -c 'systemctl is-system-running 2>/dev/null | grep -qE "running|degraded"'
    inside ip link set lo up 2>/dev/null || true
    inside systemd-sysusers
}

# A Cloudflare beside it, with the token as an encrypted credential, and one tunnel with two connectors.
start_sandbox() {
    step 'a sandbox beside it, the token as an encrypted credential'
    # The program of its own: the one in /usr/bin is replaced later.
    cp "$root/usr/bin/adit" "$root/opt/adit-sandbox"
    inside systemd-run --quiet --unit=sandbox --property=Type=exec /opt/adit-sandbox sandbox --directory /opt/sandbox
    until_true 'the sandbox is up' test -s "$root/opt/sandbox/sandbox.toml"
    inside systemd-creds encrypt --name=cloudflare-api-token /opt/sandbox/token \
        /etc/credstore.encrypted/cloudflare-api-token 2>/dev/null
    inside rm /opt/sandbox/token
    # The sandbox's folder is root's; its cloudflared and switchboard are for the daemon's user as well.
    inside chmod 0755 /opt/sandbox
    inside chmod 0777 /opt/sandbox/switchboard.sock
    {
        sed 's|^api_token = .*|api_token = { credential = "cloudflare-api-token" }|' "$root/opt/sandbox/sandbox.toml"
        printf '[tunnels.web]\nreplicas = 2\ningress = [{ hostname = "app.example.com", service = "http_status:204" }]\n'
    } >"$root/etc/adit/adit.toml"
    cp "$root/etc/adit/adit.toml" "$overlay/good.toml"
    until_true 'the front says where it is' front_address
    front=$(front_address)
}

front_address() { inside journalctl -u sandbox -o cat --no-pager | sed -n 's|^front http://||p' | tail -n 1 | grep .; }

power_off() {
    inside systemctl poweroff
    wait "$machine" || true
    machine=''
}
