# Whatever version comes after which one: what an administrator wrote is as before.

step 'reinstall, upgrade, downgrade: a changed configuration stays'
cat >>"$root/etc/adit/adit.toml" <<'CONFIG'
[tunnels.web]
ingress = [{ hostname = "app.example.com", service = "http://localhost:8080" }]
[accounts.default]
api_token = { file = "/etc/adit/token" }
CONFIG
cp "$root/etc/adit/adit.toml" "$overlay/adit.toml"
# As adit setup leaves it.
in_copy install -m 0600 -o adit -g adit /dev/null /etc/adit/token
printf 'a-token-for-tests-only-0123456789abcdefghij\n' >"$root/etc/adit/token"
for package in "$deb" "$higher_deb" "$higher_deb" "$deb"; do
    dpkg_in_copy --install "/opt/packages/${package##*/}"
    expect_said 'systemctl enable --now adit'
    cmp "$overlay/adit.toml" "$root/etc/adit/adit.toml" || fail "${package##*/} changed adit.toml"
done

step 'an upgrade without systemd leaves what is enabled so, and says nothing'
in_copy systemctl --quiet enable adit
dpkg_in_copy --install "/opt/packages/${higher_deb##*/}"
in_copy systemctl is-enabled --quiet adit || fail 'it is not enabled any more'
if grep -q '^adit:' <<<"$said"; then fail "it said: $said"; fi
