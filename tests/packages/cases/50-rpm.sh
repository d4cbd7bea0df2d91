# The .rpm, by this host's rpm with the copy as its root: its scripts run in there.

rpm_in_copy() {
    said=$(rpm --root "$root" --nodeps --nosignature "$@" 2>&1) || fail "rpm $*: $said"
    if grep -qE 'scriptlet failed|^error:' <<<"$said"; then fail "rpm $*: $said"; fi
}

step 'rpm: install, upgrade, downgrade'
inventory >"$overlay/before"
rpm_in_copy --install "$rpm"
expect_said 'adit setup'
cp "$overlay/adit.toml" "$root/etc/adit/adit.toml"
in_copy systemctl --quiet enable adit
rpm_in_copy --upgrade "$higher_rpm"
if grep -q '^adit:' <<<"$said"; then fail "it said: $said"; fi
rpm_in_copy --upgrade --oldpackage "$rpm"
cmp "$overlay/adit.toml" "$root/etc/adit/adit.toml" || fail 'adit.toml was changed'
in_copy systemctl is-enabled --quiet adit || fail 'it is not enabled any more'
in_copy adit version 2>/dev/null | grep -q '^adit ' || fail 'the program does not run'

step 'rpm: an upgrade of a daemon that runs asks the new program first'
in_copy install -m 0600 -o adit -g adit /dev/null /etc/adit/token
printf 'a-token-for-tests-only-0123456789abcdefghij\n' >"$root/etc/adit/token"
systemd_says active
rpm_in_copy --upgrade "$higher_rpm"
expect_said 'would start here: 1 tunnel'
[ "$(restarts)" = 1 ] && grep -q try-restart "$root/run/asked" || fail "systemd was asked: $(cat "$root/run/asked")"
rm -r "$root/run/systemd/system" "$root/usr/sbin/systemctl" "$root/run/asked"

step 'rpm: a removal keeps the changed configuration and the state'
make_state
rpm_in_copy --erase adit
expect_said 'AT CLOUDFLARE STAY'
expect_said '/var/lib/adit stays'
cmp "$overlay/adit.toml" "$root/etc/adit/adit.toml.rpmsave" || fail 'adit.toml was not kept'
[ -e "$root/var/lib/adit/records/web.toml" ] || fail 'the state was not kept'
in_copy rm -r /var/lib/adit /run/adit /etc/adit
# The shells' packages have these folders where there are such shells.
expect_inventory 'rpm --erase' "$overlay/before" ./usr/share/fish{,/vendor_completions.d} ./usr/share/zsh{,/site-functions}

step 'rpm: without a shell or anything else in its root'
mkdir "$overlay/empty"
rpm --root "$overlay/empty" --nodeps --nosignature --noscripts --install "$rpm" 2>/dev/null || fail 'it does not unpack'
"$overlay/empty/usr/bin/adit" version >/dev/null 2>&1 || fail 'the program does not run'
rpm --root "$overlay/empty" --nodeps --verify adit || fail 'what is there is not what was packed'
