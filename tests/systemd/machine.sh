# The machine: a Debian tree, booted by systemd-nspawn with no network but the sandbox's loopback.

tree=${ADIT_TREE:-/var/tmp/adit-tree}
overlay=$(mktemp -d /var/tmp/adit-boot.XXXXXX)
root=$overlay/root
machine='' leader='' sandbox='' receiver=''
# What the tree holds beside Debian's essentials; another list makes another tree.
packages=systemd,systemd-sysv,dbus,curl,procps,iproute2,ca-certificates

inside() { nsenter -t "$leader" -a "$@"; }

on_failure() {
    [ -n "$leader" ] || return 0
    inside systemctl status adit --no-pager --lines=0
    inside journalctl --no-pager -n 60 -o short-precise
}

shut_down() {
    if [ -n "$machine" ]; then
        kill -KILL "${leader:-$machine}" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    if [ -n "$sandbox" ]; then
        kill "$sandbox" 2>/dev/null || true
        wait "$sandbox" 2>/dev/null || true
    fi
    [ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
    umount "$root" 2>/dev/null || true
    rm -rf "$overlay"
    local cgroups
    mapfile -t cgroups < <(own_cgroups)
    find "${cgroups[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

make_tree() {
    [ "$(cat "$tree/etc/adit-tree" 2>/dev/null)" != "$packages" ] || return 0
    step 'make the tree'
    rm -rf "$tree"
    debootstrap --variant=minbase --include="$packages" bookworm "$tree" >/dev/null
    # Written last: a tree that is not whole is made again.
    echo "$packages" >"$tree/etc/adit-tree"
}

make_copy() {
    mkdir "$overlay/upper" "$overlay/work" "$root"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$overlay/upper,workdir=$overlay/work" "$root"
    install -d -m 0755 "$root/opt/sandbox" "$root/opt/packages" "$root/etc/systemd/journald.conf.d"
    # Nothing of what is logged is left out.
    printf '[Journal]\nRateLimitIntervalSec=0\n' >"$root/etc/systemd/journald.conf.d/all.conf"
}

# A Cloudflare beside the machine, of the same program: it goes on when the machine starts anew. It has a network of its own, which
# the machine shares, and the paths that the machine has.
start_sandbox() {
    step 'a sandbox beside it'
    dpkg-deb --fsys-tarfile "$1" | tar -xO ./usr/bin/adit >"$root/opt/adit-sandbox"
    chmod 0755 "$root/opt/adit-sandbox"
    unshare --net --mount sh -c 'mount --rbind /proc "$0/proc" && exec chroot "$0" sh -c \
        "ip link set lo up && exec /opt/adit-sandbox sandbox --directory /opt/sandbox"' "$root" >"$overlay/sandbox.log" 2>&1 &
    sandbox=$!
    until_true 'the sandbox is up' test -s "$root/opt/sandbox/sandbox.toml"
    until_true 'the front says where it is' front_address
    front=$(front_address)
    # The sandbox's folder is root's; its cloudflared and switchboard are for the daemon's user as well, its token is for nobody.
    chmod 0755 "$root/opt/sandbox"
    chmod 0777 "$root/opt/sandbox/switchboard.sock"
    mv "$root/opt/sandbox/token" "$overlay/token"
}

front_address() { sed -n 's|^front http://||p' "$overlay/sandbox.log" | grep .; }

# The machine's own cgroup in each hierarchy that a systemd makes use of. Machines that were booted from one and the same would share all
# that is below it: connectors of the same name would be in the same cgroup, and one machine would kill those of the other.
own_cgroups() {
    local mounted
    for mounted in /sys/fs/cgroup /sys/fs/cgroup/unified; do
        [ ! -e "$mounted/cgroup.procs" ] || echo "$mounted$(sed -n 's/^0:://p' /proc/self/cgroup)/${overlay##*/}"
    done
    [ ! -e /sys/fs/cgroup/systemd/cgroup.procs ] ||
        echo "/sys/fs/cgroup/systemd$(sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup)/${overlay##*/}"
}

boot() {
    step 'boot'
    local cgroups cgroup
    mapfile -t cgroups < <(own_cgroups)
    mkdir -p "${cgroups[@]}"
    # Nothing is started in there before the machine: its first process is the first child.
    (
        for cgroup in "${cgroups[@]}"; do echo "$BASHPID" >"$cgroup/cgroup.procs"; done
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit \
            --network-namespace-path="/proc/$sandbox/ns/net" --kill-signal=SIGRTMIN+3 \
            --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' </dev/null >>"$overlay/boot.log" 2>&1
    ) &
    machine=$!
    # Not the process that only starts it, and is gone at once.
    has_leader() { leader=$(pgrep -P "$machine" -o) && grep -q $'^NSpid:.*\t1$' "/proc/$leader/status"; }
    until_true 'the container has a first process' has_leader
    has_leader
    until_true 'systemd is up' inside sh -c 'systemctl is-system-running 2>/dev/null | grep -qE "running|degraded"'
}

# The machine goes down and comes up again, with the same disk.
reboot_machine() {
    inside systemctl reboot || true
    # It says by its own status that it is to be started again; the machine that went down is no failure.
    wait "$machine" || true
    machine='' leader=''
    boot
}

power_off() {
    inside systemctl poweroff || true
    wait "$machine" || true
    machine=''
}
