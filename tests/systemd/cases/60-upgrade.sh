# An upgrade installs the next package, which asks the new program first and then restarts the unit.

# install_next VERSION: the next release is installed while everybody asks.
install_next() {
    local package
    package=$(make_next "$1")
    dpkg_inside --install "$package"
    [ "$(inside dpkg-query -W -f '${Version}' adit)" = "$1-1" ] || fail "the package is $(inside dpkg-query -W adit)"
}

version=$(dpkg-deb --field "$deb" Version)
version=${version%-*}
next() { printf '%s.%s\n' "${version%.*}" "$((${version##*.} + $1))"; }

step 'upgrade of the package: the new program is asked, then it adopts what the old one started; no request is lost'
remember
pid=$(daemon)
asked_before=$(($(asked control) + $(asked metrics)))
start_load
install_next "$(next 1)"
expect_said "adit $(next 1) would start here: 1 tunnel, 2 running connectors to adopt"
is_next "$pid" || fail 'the daemon is the same'
has_upgraded() { inside journalctl ADIT_EVENT=daemon-started -o cat --no-pager | grep -q "^adit $(next 1) runs and answers"; }
until_true "adit $(next 1) runs and answers" has_upgraded
expect_same_connectors
expect_no_load_lost
expect_nothing_lost front control metrics
printf '%s requests to the daemon answered, none lost\n' "$(($(asked control) + $(asked metrics) - asked_before))"

step 'upgrade to a program that would not start here: it says why, and the daemon that runs goes on'
remember
pid=$(daemon)
# Neither the files nor what was accepted before can be run; the running daemon needs neither.
printf 'nonsense = 1\n' >>"$root/etc/adit/adit.toml"
inside mv /var/lib/adit/accepted /var/lib/adit/elsewhere
install_next "$(next 2)"
expect_said 'nonsense'
expect_said 'systemctl restart adit'
[ "$(daemon)" = "$pid" ] || fail 'the daemon is another one'
[ "$(connectors)" = "$before" ] || fail "connectors before: $before, after: $(connectors)"
expect_nothing_lost front control metrics
if checked=$(inside adit daemon --check 2>&1); then fail 'the check found nothing'; fi
grep -q 'nonsense' <<<"$checked" || fail "it says: $checked"

step 'what was in the way is set right: the installed program takes over'
inside mv /var/lib/adit/elsewhere /var/lib/adit/accepted
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside adit daemon --check || fail 'the check found something'
inside systemctl restart adit
is_next "$pid" || fail 'the daemon is the same'
expect_same_connectors
expect_nothing_lost front control metrics
