#!/usr/bin/env bash
# The same commit gives the same bytes: makes the packages once more, from a clone in another folder, as another user with another
# CARGO_HOME, umask and number of jobs, and compares them and the program in them with those that packaging/build has left here.
#
#     packaging/build && tests/reproducible.sh
#
# Needs git, what packaging/build needs, a checkout without changes, and the time of a release build from nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/support/wait.sh

cargo_home=${CARGO_HOME:-$HOME/.cargo}
elsewhere=$(mktemp -d /var/tmp/adit-elsewhere.XXXXXX)
trap 'rm -rf "$elsewhere"' EXIT

# What cargo has downloaded and how it is configured, and none of what it has unpacked.
other_cargo_home() {
    mkdir -p "$elsewhere/cargo/registry"
    ln -s "$cargo_home"/registry/{cache,index} "$elsewhere/cargo/registry"
    local settings
    for settings in "$cargo_home"/{config,credentials}.toml; do
        [ ! -e "$settings" ] || ln -s "$settings" "$elsewhere/cargo"
    done
}

# Another user, where the kernel lets us make one.
another=(unshare --user --map-user=4711 --map-group=4711)
"${another[@]}" true 2>/dev/null || another=()

# Runs a command there, with the same toolchain.
as_another() {
    (
        cd "$elsewhere/somebody/checkout"
        umask 0077
        "${another[@]}" env --unset=SOURCE_DATE_EPOCH RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" HOME="$elsewhere/somebody" \
            CARGO_HOME="$elsewhere/cargo" CARGO_BUILD_JOBS=3 TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 "$@"
    )
}

[ -z "$(git status --porcelain)" ] || fail 'there are changes that no clone would have'
packages=$(ls target/debian/*.deb target/generate-rpm/*.rpm)

step 'no path of this host is in the program'
for path in "$PWD" "$cargo_home" "$(rustc --print sysroot)"; do
    ! grep --text --fixed-strings "$path/" target/release/adit >/dev/null || fail "$path is in it"
done

step 'the packages, made elsewhere'
git clone --quiet --no-local . "$elsewhere/somebody/checkout"
other_cargo_home
as_another packaging/build >/dev/null

step 'the same bytes'
for file in target/release/adit $packages; do
    cmp "$file" "$elsewhere/somebody/checkout/$file" || fail "$file is another one when it is made elsewhere"
done
echo "the same commit gives the same bytes ($SECONDS s)"
