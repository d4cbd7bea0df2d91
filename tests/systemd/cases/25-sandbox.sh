# What the unit's sandbox must leave possible, beside what every other case needs.

step 'the daemon knows who asks: a group has its role, and a stranger has none'
inside useradd --groups adit-viewer olga
inside runuser -u olga -- adit status >/dev/null || fail 'a viewer may not look'
asked_as() { inside runuser -u "$1" -- adit "${@:2}" >/dev/null 2>&1 && echo 0 || echo $?; }
[ "$(asked_as olga tunnel restart web)" = 4 ] || fail 'a viewer may restart a tunnel'
[ "$(asked_as nobody status)" = 4 ] || fail 'a stranger may look'

step 'a command gives the token'
remember
account=$root/etc/adit/conf.d/account-default.toml
cp "$account" "$overlay/account.toml"
install -m 0640 -g "$(inside id -g adit)" "$overlay/token" "$root/usr/local/share/token"
printf '#!/bin/sh\nexec cat /usr/local/share/token\n' >"$root/usr/local/bin/give-token"
chmod 0755 "$root/usr/local/bin/give-token"
sed -i 's|^api_token = .*|api_token = { command = ["/usr/local/bin/give-token"] }|' "$account"
inside systemctl reload adit || fail 'the command is refused'
inside adit credential list | grep -q give-token || fail 'the token is not from the command'
inside adit credential check >/dev/null || fail 'the token of the command does not work'
cp "$overlay/account.toml" "$account"
inside systemctl reload adit
rm "$root/usr/local/share/token"
[ "$(connectors)" = "$before" ] || fail 'another token started connectors'

step 'nothing that the service can write is run'
of_service() { inside nsenter --mount --target "$(daemon)" "$@"; }
for folder in /var/lib/adit /run/adit /tmp /var/tmp /dev/shm; do
    of_service cp /usr/bin/true "$folder/true"
    of_service test -s "$folder/true" || fail "$folder cannot be written"
    of_service "$folder/true" 2>/dev/null && fail "the service can run what is in $folder"
    of_service rm "$folder/true"
done
inside cp /usr/bin/true /var/lib/adit/true
inside /var/lib/adit/true || fail 'nobody can run it'
inside rm /var/lib/adit/true
