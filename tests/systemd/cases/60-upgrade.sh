# An upgrade replaces the program and restarts the unit. The next release is this one with another version in it, where the compiler
# kept it as a text; short texts may stand in the instructions as well, so not every place that says a version says the next one.

step 'upgrade: the new program is checked, then it adopts what the old one started'
remember
version=$(inside adit version | sed -n 's/^adit //p')
next=${version%.*}.$((${version##*.} + 1))
[ "${#next}" = "${#version}" ] || fail "version $next is longer than $version"
sed "s/${version//./\\.}/$next/g" "$root/usr/bin/adit" >"$root/opt/adit-next"
chmod 0755 "$root/opt/adit-next"
checked=$(inside /opt/adit-next daemon --check 2>&1) || fail "the new program would not start: $checked"
grep -q "adit $next would start here: 1 tunnel, 2 running connectors to adopt" <<<"$checked" || fail "it says: $checked"
inside mv /opt/adit-next /usr/bin/adit
inside systemctl restart adit
has_upgraded() { inside journalctl -u adit -o cat --no-pager | grep -q "^adit $next runs and answers"; }
until_true "adit $next runs and answers" has_upgraded
expect_same_connectors
expect_nothing_lost front control metrics

step 'a program that would not start says why'
printf 'nonsense = 1\n' >>"$root/etc/adit/adit.toml"
inside mv /var/lib/adit/accepted /var/lib/adit/elsewhere
if checked=$(inside adit daemon --check 2>&1); then fail 'the check found nothing'; fi
grep -q 'nonsense' <<<"$checked" || fail "it says: $checked"
inside mv /var/lib/adit/elsewhere /var/lib/adit/accepted
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside adit daemon --check || fail 'the check found something'
