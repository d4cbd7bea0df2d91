#!/usr/bin/env bash
# The package as shipped, under a real systemd: a Debian tree booted by systemd-nspawn, with a sandbox beside it for a Cloudflare.
#
#     tests/systemd.sh target/debian/adit_VERSION-1_ARCHITECTURE.deb
#
# Root, debootstrap, systemd-nspawn, dpkg-deb, prometheus and python3 are needed. The tree is kept in $ADIT_TREE (default
# /var/tmp/adit-tree) for the next run. What is proved is in tests/systemd/cases, in the order of the files' names; clients ask all the
# while (tests/systemd/traffic.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
deb=$(realpath "$1")
. tests/support/wait.sh
. tests/systemd/machine.sh
. tests/systemd/packages.sh
. tests/systemd/look.sh
. tests/systemd/traffic.sh
trap shut_down EXIT

make_tree
make_copy
start_sandbox "$deb"
boot
for case in tests/systemd/cases/*.sh; do
    . "$case"
done
power_off
echo "the package works under systemd ($SECONDS s)"
