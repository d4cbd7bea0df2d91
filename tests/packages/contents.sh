# What is in the packages: every file with its mode and owner, the configuration files, and what is demanded of the host.

# Every page that the program writes.
man_pages() { find target/packaging/man -type f -name '*.gz' | sed 's|target/packaging/|-rw-r--r-- root/root usr/share/|'; }

# Every guide of the checkout. Those without which others lead nowhere are in the lists by name.
guides() { find packaging/docs -name '*.md' | sed 's|packaging/docs/|-rw-r--r-- root/root usr/share/doc/adit/|'; }

# Compares what is there with a list in tests/packages, and with every man page and guide.
expect_list() {
    local what=$1 list=$2
    { cat "tests/packages/$list" && man_pages && guides; } | LC_ALL=C sort -u >"$overlay/expected"
    LC_ALL=C sort | diff -u --label "tests/packages/$list" --label "$what" "$overlay/expected" - ||
        fail "$what holds something else than tests/packages/$list"
}

check_contents() {
    step 'contents, modes and owners'
    [ "$(man_pages | wc -l)" -gt 50 ] || fail 'there are no man pages'
    dpkg-deb --fsys-tarfile "$deb" | tar -tv --numeric-owner | sed -n 's|^\(-[^ ]*\) 0/0 .* \./|\1 root/root |p' | expect_list "$deb" deb.list
    [ -z "$(dpkg-deb --fsys-tarfile "$deb" | tar -tv --numeric-owner | grep -v ' 0/0 ')" ] || fail 'not everything is of root'
    rpm -qp --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]' "$rpm" | sed 's| /| |' | expect_list "$rpm" rpm.list

    step 'configuration files are kept, and what the packages demand'
    diff - <(dpkg-deb --info "$deb" conffiles | sort) <<<$'/etc/adit/adit.toml\n/etc/adit/conf.d/README' || fail 'other conffiles'
    [ "$(rpm -qp --configfiles "$rpm")" = /etc/adit/adit.toml ] || fail 'other configuration files in the .rpm'
    [ "$(rpm -qp --queryformat '[%{FILENAMES} %{FILEFLAGS:fflags}\n]' "$rpm" | grep -F adit.toml | head -n 1)" = '/etc/adit/adit.toml cn' ] ||
        fail 'a changed adit.toml would be replaced'
    for wanted in 'libc6 (>= ' libgcc-s1 'systemd (>= 244)' ca-certificates; do
        dpkg-deb --field "$deb" Depends | grep -qF "$wanted" || fail "the .deb does not depend on $wanted"
    done
    for wanted in 'libc.so.6(GLIBC_' 'systemd >= 244' ca-certificates util-linux /bin/sh; do
        rpm -qp --requires "$rpm" | grep -qF "$wanted" || fail "the .rpm does not require $wanted"
    done
    [ "$(dpkg-deb --field "$higher_deb" Version)" = "$higher-1" ] || fail "the higher .deb is not $higher"
    dpkg --compare-versions "$higher-1" gt "$version-1" || fail 'it is not higher for dpkg'

    step 'the installed documentation leads nowhere but to what is installed'
    local links link
    links=$(dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards './usr/share/doc/adit/*.md' | grep -oE '\]\([^)#:]+[)#]' | tr -d ']()#' | sort -u)
    grep -qx operations.md <<<"$links" || fail 'the README does not lead to the operations guide'
    for link in $links; do
        dpkg-deb --fsys-tarfile "$deb" | tar -t "./usr/share/doc/adit/$link" >/dev/null || fail "a guide leads to $link, which is not beside it"
    done
}

check_scripts() {
    step 'the maintainer scripts are POSIX sh'
    local script
    for script in target/packaging/deb/* target/packaging/rpm/*; do
        sh -n "$script" || fail "$script"
    done
    shellcheck --shell=sh target/packaging/deb/* target/packaging/rpm/*
    shellcheck packaging/build packaging/compile packaging/notices
}

check_lint() {
    step 'lintian and rpmlint'
    lintian --fail-on error,warning --tag-display-limit 0 --allow-root "$deb" || fail 'lintian'
    rpmlint --config tests/packages/rpmlint.toml "$rpm" || fail 'rpmlint'
}
