# From the package to a configuration. Nothing starts by itself.

step 'install: nothing starts, and it is said what to do'
shipped=$(take_package "$deb")
dpkg_inside --install "$shipped"
expect_said 'nothing was started'
expect_said 'adit setup'
is_state inactive || fail "the unit is $(property ActiveState)"
inside systemctl is-enabled --quiet adit && fail 'the unit is enabled'
[ "$(inside id -un adit)" = adit ] || fail 'there is no user for the daemon'
inside test ! -e /var/lib/adit || fail 'there is state before the first start'
[ "$(inside stat -c %a /etc/credstore.encrypted)" = 700 ] || fail 'others may look at the encrypted credentials'

step 'adit setup: the token from standard input as an encrypted credential, a first tunnel; nothing starts yet'
# Which cloudflared, and where its edge is, is what a sandbox needs beyond a first configuration. All lines go to the journal.
sed -e '/^\[accounts/,$d' -e 's|^\[cloudflared\]$|&\njournal = "all"|' "$root/opt/sandbox/sandbox.toml" >"$root/etc/adit/adit.toml"
printf '[access]\nviewer = ["@adit-viewer"]\n' >>"$root/etc/adit/adit.toml"
cp "$root/etc/adit/adit.toml" "$overlay/good.toml"
api_base=$(sed -n 's/^api_base = "\(.*\)"$/\1/p' "$root/opt/sandbox/sandbox.toml")
set_up() {
    inside adit setup --api-base "$api_base" --tunnel web --hostname app.example.com --service http_status:204 "$@" 2>&1
}
said=$(set_up --no-start <"$overlay/token") || fail "adit setup: $said"
if grep -qF "$(cat "$overlay/token")" <<<"$said"; then fail 'the token is shown'; fi
inside test -s /etc/credstore.encrypted/cloudflare-api-token || fail 'there is no encrypted credential'
is_state inactive || fail "the unit is $(property ActiveState)"

step 'a check before the first start finds nothing in the way'
inside adit daemon --check || fail 'adit daemon --check'

step 'adit setup again: it goes on from there, and starts the service'
said=$(set_up </dev/null) || fail "adit setup: $said"
is_state active || fail "the unit is $(property ActiveState): $said"
inside systemctl is-enabled --quiet adit || fail 'the unit is not enabled'
sed -i 's/^\[tunnels\.web\]$/&\nreplicas = 2/' "$root/etc/adit/conf.d/tunnel-web.toml"
grep -q '^replicas = 2$' "$root/etc/adit/conf.d/tunnel-web.toml" || fail 'there is no table of the tunnel'
inside systemctl reload adit || fail 'the second connector is refused'
