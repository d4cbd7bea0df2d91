#!/usr/bin/env bash
# The unit as shipped, under a real systemd: a Debian tree booted by systemd-nspawn, without a network of its own.
#
#     tests/systemd.sh target/release/adit
#
# Root, debootstrap and systemd-nspawn are needed. The tree is kept in $ADIT_TREE (default /var/tmp/adit-tree) for the next run.
# What is proved is in tests/systemd/cases, in the order of the files' names; clients ask all the while (tests/systemd/traffic.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
adit=$(realpath "$1")
. tests/support/wait.sh
. tests/systemd/machine.sh
. tests/systemd/look.sh
. tests/systemd/traffic.sh
trap shut_down EXIT

make_tree
install_adit "$adit"
boot
start_sandbox
for case in tests/systemd/cases/*.sh; do
    . "$case"
done
power_off
echo "the unit works under systemd ($SECONDS s)"
