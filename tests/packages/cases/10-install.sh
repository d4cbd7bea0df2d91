# An installation makes the users and starts nothing.

step 'install: nothing starts, and what is to be done is said'
inventory >"$overlay/before"
dpkg_in_copy --install "/opt/packages/${deb##*/}"
expect_said 'nothing was started'
expect_said 'adit setup'
[ "$(in_copy dpkg-query -W -f '${Status}' adit)" = 'install ok installed' ] || fail 'it is not installed'
in_copy id adit >/dev/null || fail 'there is no user adit'
for group in adit-admin adit-operator adit-viewer; do
    in_copy getent group "$group" >/dev/null || fail "there is no group $group"
done
[ "$(in_copy stat -c '%a %U:%G' /etc/credstore.encrypted)" = '700 root:root' ] || fail 'others may look into credstore.encrypted'
[ ! -e "$root/var/lib/adit" ] || fail 'root made the state directory'
if in_copy systemctl is-enabled --quiet adit; then fail 'it is enabled'; fi
in_copy adit version 2>/dev/null | grep -q '^adit ' || fail 'the program does not run'
in_copy adit config check >/dev/null 2>&1 || fail 'the shipped configuration is not accepted'
in_copy bash -n /usr/share/bash-completion/completions/adit || fail "bash does not read its completion"
in_copy bash -c '. /usr/share/bash-completion/completions/adit && complete -p adit' >/dev/null || fail 'bash completes nothing'
