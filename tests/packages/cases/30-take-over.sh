# With a systemd that says the daemon runs, the new program is asked first. It is a stand-in that writes down what it is asked, and
# comes before the real one on the PATH of dpkg and of rpm.

# systemd_says active|inactive [enabled|masked]
systemd_says() {
    in_copy mkdir -p /run/systemd/system
    cat >"$root/usr/sbin/systemctl" <<STANDIN
#!/bin/sh
echo "\$*" >>/run/asked
case "\$*" in
    *is-active*) [ $1 = active ] ;;
    *is-enabled*) echo ${2:-enabled} ;;
esac
STANDIN
    chmod 0755 "$root/usr/sbin/systemctl"
    : >"$root/run/asked"
}

restarts() { grep -cE '(restart|start|stop).* adit.service$' "$root/run/asked" || true; }

step 'upgrade: the daemon that runs is restarted once, after the new program said that it would start'
systemd_says active
dpkg_in_copy --install "/opt/packages/${deb##*/}"
expect_said 'would start here: 1 tunnel'
[ "$(restarts)" = 1 ] && grep -q restart "$root/run/asked" || fail "systemd was asked: $(cat "$root/run/asked")"
[ "$(head -n 1 "$root/run/asked")" = daemon-reload ] || fail 'systemd does not know the new unit'

step 'upgrade: a program that would not start does not replace the one that runs'
systemd_says active
echo 'nonsense = 1' >>"$root/etc/adit/adit.toml"
dpkg_in_copy --install "/opt/packages/${higher_deb##*/}"
expect_said 'THE NEW VERSION WOULD NOT START HERE'
expect_said 'nonsense'
expect_said 'systemctl restart adit'
[ "$(restarts)" = 0 ] || fail "systemd was asked: $(cat "$root/run/asked")"
[ "$(in_copy dpkg-query -W -f '${Status}' adit)" = 'install ok installed' ] || fail 'it is half-configured'
cp "$overlay/adit.toml" "$root/etc/adit/adit.toml"

step 'upgrade: a unit that is masked is not restarted, and it is said'
systemd_says active masked
dpkg_in_copy --install "/opt/packages/${deb##*/}"
expect_said 'adit.service is masked'
[ "$(restarts)" = 0 ] || fail "systemd was asked: $(cat "$root/run/asked")"

step 'upgrade: a daemon that was stopped stays so'
systemd_says inactive
dpkg_in_copy --install "/opt/packages/${deb##*/}"
[ "$(restarts)" = 0 ] || fail "systemd was asked: $(cat "$root/run/asked")"
rm -r "$root/run/systemd/system" "$root/usr/sbin/systemctl" "$root/run/asked"
