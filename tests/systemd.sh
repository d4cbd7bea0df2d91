#!/usr/bin/env bash
# The unit as shipped, under a real systemd: a Debian tree booted by systemd-nspawn, without a network of its own.
#
#     tests/systemd.sh target/release/adit
#
# Root, debootstrap and systemd-nspawn are needed. The tree is kept in $ADIT_TREE (default /var/tmp/adit-tree) for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
adit=$(realpath "$1")
tree=${ADIT_TREE:-/var/tmp/adit-tree}
overlay=$(mktemp -d /var/tmp/adit-boot.XXXXXX)
machine='' leader=''

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    [ -z "$leader" ] || inside journalctl --no-pager -n 40 -o short-precise >&2 || true
    exit 1
}

inside() { nsenter -t "$leader" -a "$@"; }

cleanup() {
    if [ -n "$machine" ]; then
        kill -KILL "$leader" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    umount "$overlay/root" 2>/dev/null || true
    rm -rf "$overlay"
}
trap cleanup EXIT

until_true() {
    local what=$1
    shift
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    fail "not within 30 s: $what"
}

step() { printf -- '-- %s\n' "$1"; }

if [ ! -x "$tree/usr/lib/systemd/systemd" ]; then
    step 'make the tree'
    rm -rf "$tree"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl bookworm "$tree" >/dev/null
fi

step 'install into a copy'
mkdir "$overlay/upper" "$overlay/work" "$overlay/root"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$overlay/upper,workdir=$overlay/work" "$overlay/root"
root=$overlay/root
install -m 0755 "$adit" "$root/usr/bin/adit"
install -m 0644 systemd/adit.service "$root/usr/lib/systemd/system/adit.service"
install -m 0644 packaging/adit.sysusers "$root/usr/lib/sysusers.d/adit.conf"
install -d -m 0755 "$root/etc/adit" "$root/opt/sandbox"
install -d -m 0700 "$root/etc/credstore.encrypted"

step 'boot'
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network \
    --kill-signal=SIGRTMIN+3 </dev/null >"$overlay/boot.log" 2>&1 &
machine=$!
has_leader() { leader=$(pgrep -P "$machine" -o) && [ -n "$leader" ]; }
until_true 'the container has a first process' has_leader
leader=$(pgrep -P "$machine" -o)
until_true 'systemd is up' inside sh -c 'systemctl is-system-running 2>/dev/null | grep -qE "running|degraded"'
inside ip link set lo up 2>/dev/null || true
inside systemd-sysusers

step 'a sandbox beside it, the token as an encrypted credential'
inside systemd-run --quiet --unit=sandbox --property=Type=exec /usr/bin/adit sandbox --directory /opt/sandbox
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
front=$(inside journalctl -u sandbox -o cat --no-pager | sed -n 's|^front http://||p' | tail -n 1)

serving() { [ "$(inside curl -s -o /dev/null -w '%{http_code}' -H 'Host: app.example.com' "http://$front/")" = 204 ]; }
connectors() { inside pgrep -u adit -f 'cloudflared tunnel' | sort | tr '\n' ' '; }
property() { inside systemctl show -P "$1" adit; }
ready() { [ "$(inside adit -o json status | grep -o '"state": *"ready"' | wc -l)" -ge 3 ]; }

step 'start: READY, status line, a request reaches the origin'
inside systemctl start adit || fail "systemctl start: $(inside systemctl status adit --no-pager)"
[ "$(property ActiveState)" = active ] || fail 'the unit is not active'
until_true 'both connectors are ready' ready
until_true 'a request gets through' serving
property StatusText | grep -q '1 tunnel: 1 ready' || until_true 'the status line counts' sh -c "nsenter -t $leader -a systemctl show -P StatusText adit | grep -q '1 ready'"
[ "$(inside stat -c %U /run/adit/adit.sock)" = adit ] || fail 'the socket does not belong to the daemon'
[ "$(inside ps -o user= -p "$(property MainPID)")" = adit ] || fail 'the daemon runs as another user'

step 'the journal has the events, with fields'
inside journalctl ADIT_TUNNEL=web --no-pager -o cat | grep -q 'is ready' || fail 'no event of web in the journal'

step 'reload: a bad file is refused, the unit stays active'
before=$(connectors)
cp "$root/etc/adit/adit.toml" "$overlay/good.toml"
printf 'nonsense = 1\n' >>"$root/etc/adit/adit.toml"
if inside systemctl reload adit 2>/dev/null; then fail 'the reload of a bad file succeeded'; fi
[ "$(property ActiveState)" = active ] || fail 'the unit is not active after a refused reload'
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl reload adit || fail 'the reload of a good file failed'
[ "$(connectors)" = "$before" ] || fail 'a reload started connectors'

step 'kill -9 of the daemon: connectors stay, systemd starts the next daemon, no second copies'
before=$(connectors)
pid=$(property MainPID)
inside kill -KILL "$pid"
is_new() { [ "$(property MainPID)" != "$pid" ] && [ "$(property MainPID)" != 0 ] && [ "$(property ActiveState)" = active ]; }
until_true 'the next daemon runs' is_new
until_true 'both connectors are ready again' ready
[ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"
serving || fail 'no request gets through after the crash'

step 'SIGSTOP: the watchdog ends the daemon, connectors stay'
pid=$(property MainPID)
inside kill -STOP "$pid"
for _ in $(seq 40); do is_new && break; sleep 1; done
is_new || fail 'the watchdog did not act'
until_true 'both connectors are ready again' ready
[ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"

step 'restart: detached and found again'
inside systemctl restart adit
until_true 'both connectors are ready again' ready
[ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"

step 'stop: everything drained, nothing left'
inside systemctl stop adit
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
[ "$(property Result)" = success ] || fail "the unit ended with $(property Result)"

step 'without a configuration that was ever accepted: exit 78, no restarts'
inside sh -c 'rm -rf /var/lib/adit/accepted; echo "nonsense = 1" >/etc/adit/adit.toml'
inside systemctl start adit 2>/dev/null && fail 'the unit started without a configuration'
[ "$(property ExecMainStatus)" = 78 ] || fail "the daemon ended with $(property ExecMainStatus)"
[ "$(property ActiveState)" = failed ] || fail "the unit is $(property ActiveState)"

step 'security'
inside systemd-analyze security --no-pager adit | tail -n 1
inside systemctl poweroff
wait "$machine" || true
machine=''
echo 'the unit works under systemd'
