# A copy of the tree, in which packages are installed by its own dpkg, or by this host's rpm. No systemd runs in it.

in_copy() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

enter_copy() {
    step 'a copy of the tree, with what the package depends on'
    mkdir -p "$overlay/upper" "$overlay/work" "$root"
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$overlay/upper,workdir=$overlay/work" "$root"
    mount -t proc proc "$root/proc"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    chroot "$root" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates' >/dev/null 2>&1 ||
        fail 'cannot install ca-certificates into the copy'
    # Its version is all that the check before a start asks for.
    printf '#!/bin/sh\necho 2026.8.0\n' | install -m 0755 /dev/stdin "$root/usr/local/bin/cloudflared"
    install -d "$root/opt/packages"
    cp "$deb" "$higher_deb" "$root/opt/packages"
}

leave() {
    umount "$root/proc" "$root" 2>/dev/null || true
    rm -rf "$overlay"
}

# Every file and link of the copy, but for what the package managers write down for themselves.
inventory() {
    (cd "$root" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/rpm -o -path ./var/log -o -path ./var/cache -o -path ./proc \
        -o -path ./opt -o -path ./tmp -o -path ./root/.rpmdb \) -prune -o -print | LC_ALL=C sort)
}

# expect_inventory WHAT FORMER [MORE...]: the files that FORMER says, and MORE.
expect_inventory() {
    local what=$1 former=$2
    shift 2
    { cat "$former"; [ $# -eq 0 ] || printf '%s\n' "$@"; } | LC_ALL=C sort -u >"$overlay/expected"
    inventory | diff -u --label 'before' --label "$what" "$overlay/expected" - || fail "$what left something, or took too much"
}

# dpkg_in_copy ARGUMENTS...: dpkg with these arguments in the copy. What it says is in $said.
dpkg_in_copy() {
    said=$(in_copy dpkg "$@" 2>&1) || fail "dpkg $*: $said"
}
