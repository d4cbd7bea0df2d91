# The package goes, comes back, and goes with everything.

step 'remove: connectors drain, what stays at Cloudflare is named, state and configuration stay here'
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl reset-failed adit
inside systemctl start adit
until_true 'both connectors are ready' ready
was=$(tunnel_id)
dpkg_inside --remove adit
expect_said 'AT CLOUDFLARE STAY'
expect_said '    web'
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
[ -z "$(inside pgrep -u adit || true)" ] || fail "processes are left: $(inside pgrep -l -u adit)"
inside test ! -e /usr/bin/adit || fail 'the program is left'
inside test -d /var/lib/adit/records || fail 'the state went'
inside test -e /etc/adit/adit.toml || fail 'the configuration went'

step 'install again: it is as it was, and starts when it is told to'
dpkg_inside --install "$shipped"
expect_said 'systemctl enable --now adit'
is_state inactive || fail "the unit is $(property ActiveState)"
inside systemctl enable --now --quiet adit
until_true 'both connectors are ready' ready
until_true 'a request gets through' serving
[ "$(tunnel_id)" = "$was" ] || fail "the tunnel was $was and is $(tunnel_id)"

step 'purge: state, configuration and sockets go, after it is said what stays at Cloudflare'
dpkg_inside --purge adit
expect_said 'AT CLOUDFLARE STAY'
[ -z "$(connectors)" ] || fail "connectors are left: $(connectors)"
for left in /var/lib/adit /run/adit /etc/adit /usr/lib/systemd/system/adit.service /etc/systemd/system/multi-user.target.wants/adit.service; do
    inside test ! -e "$left" || fail "$left is left"
done
[ -z "$(inside dpkg-query -W -f '${Status}' adit 2>/dev/null | grep -v not-installed)" ] || fail 'the package is left'

step 'install after a purge: as for the first time'
dpkg_inside --install "$shipped"
expect_said 'nothing was started'
is_state inactive || fail "the unit is $(property ActiveState)"
inside test ! -e /var/lib/adit || fail 'there is state before the first start'
