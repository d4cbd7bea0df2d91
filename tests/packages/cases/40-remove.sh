# A removal keeps configuration and state; a purge takes both, and nothing else.

# What a daemon would have left, and what it could have left to hurt: links to what is root's.
make_state() {
    in_copy install -d -m 0700 -o adit -g adit /var/lib/adit /run/adit
    in_copy setpriv --reuid adit --regid adit --clear-groups sh -euc '
        cd /var/lib/adit
        mkdir records logs tunnels
        echo "id = \"abcd1234\"" >install.toml
        : >records/web.toml
        : >records/shop.toml
        ln -s /etc/passwd records/passwd.toml
        ln -s /etc logs/elsewhere
        ln -s /opt/precious tunnels/link
        mkdir /run/adit/private
        : >/run/adit/private/record'
    in_copy install -d /opt/precious
    in_copy touch /opt/precious/file
}

step 'remove: the unit is disabled, what stays at Cloudflare is named, configuration and state are kept'
make_state
in_copy mkdir -p /etc/systemd/system/adit.service.d
in_copy touch /etc/credstore.encrypted/cloudflare-api-token
dpkg_in_copy --remove adit
expect_said 'AT CLOUDFLARE STAY'
expect_said '(NAME.adit-abcd1234 there)'
expect_said '    web'
expect_said '    shop'
[ ! -e "$root/usr/bin/adit" ] || fail 'the program is still there'
[ ! -L "$root/etc/systemd/system/multi-user.target.wants/adit.service" ] || fail 'it is still enabled'
cmp "$overlay/adit.toml" "$root/etc/adit/adit.toml" || fail 'adit.toml was not kept'
[ -e "$root/var/lib/adit/records/web.toml" ] || fail 'the state was not kept'

step 'install again: it goes on where it was, when it is enabled'
dpkg_in_copy --install "/opt/packages/${deb##*/}"
expect_said 'systemctl enable --now adit'

step 'purge: all of it goes, but for users, credentials and what stays at Cloudflare'
dpkg_in_copy --purge adit
expect_said 'AT CLOUDFLARE STAY'
expect_said '/etc/credstore.encrypted/cloudflare-api-token stays'
expect_said '/etc/systemd/system/adit.service.d stays'
[ -e "$root/opt/precious/file" ] && [ -s "$root/etc/passwd" ] || fail 'a link led out of the state directory'
in_copy rm -r /etc/systemd/system/adit.service.d /etc/credstore.encrypted/cloudflare-api-token
expect_inventory 'the purge' "$overlay/before" ./etc/credstore.encrypted ./etc/{passwd,group,shadow,gshadow}-
in_copy id adit >/dev/null || fail 'the user is gone, whose number another one could get'

step 'purge: what is not the daemon'"'"'s is left and named'
dpkg_in_copy --install "/opt/packages/${deb##*/}"
make_state
in_copy install -d -m 0755 /var/lib/adit/of-root
in_copy touch /var/lib/adit/of-root/file
dpkg_in_copy --purge adit
expect_said 'cannot remove /var/lib/adit'
[ -e "$root/var/lib/adit/of-root/file" ] || fail 'root deleted below the state directory'
in_copy rm -r /var/lib/adit
