#!/usr/bin/env bash
# The packages as they are built: what is in them, what lintian and rpmlint say, and what installing, upgrading, removing and purging
# them does to a Debian tree in which no systemd runs. The same under a booted systemd is in tests/systemd.sh.
#
#     packaging/compile && tests/packages.sh
#
# Root, debootstrap, lintian, rpm, rpmlint, shellcheck, cargo-deb and cargo-generate-rpm are needed, and Debian's archive for what the
# package depends on. The tree is that of tests/systemd.sh, of which this changes a copy.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh
. tests/systemd/machine.sh
. tests/packages/contents.sh
. tests/packages/chroot.sh
trap leave EXIT

# The last version and a higher one, with the same program in them.
build_packages() {
    step 'build'
    version=$(cargo pkgid | sed 's/.*[#@]//')
    higher=$version.1
    mkdir "$overlay/higher"
    packaging/build --version "$higher" | xargs -I{} mv {} "$overlay/higher"
    higher_deb=$(echo "$overlay"/higher/*.deb) higher_rpm=$(echo "$overlay"/higher/*.rpm)
    packaging/build
    deb=$(echo target/debian/*.deb) rpm=$(echo target/generate-rpm/*.rpm)
}

build_packages
for part in contents scripts lint; do "check_$part"; done
make_tree
enter_copy
for part in tests/packages/cases/*.sh; do
    . "$part"
done
printf 'the packages hold (%s s): .deb %s bytes, .rpm %s bytes\n' "$SECONDS" "$(stat -c %s "$deb")" "$(stat -c %s "$rpm")"
