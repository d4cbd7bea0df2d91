step 'restart: detached and adopted, nobody is refused'
remember
inode=$(control_inode)
for _ in 1 2 3; do
    pid=$(daemon)
    inside systemctl restart adit
    is_next "$pid" || fail 'the daemon is the same'
done
expect_same_connectors
[ "$(control_inode)" = "$inode" ] || fail 'the control socket is another one'
expect_nothing_lost front control metrics

step 'daemon-reexec: systemd itself is replaced and still keeps the listeners'
remember
inside systemctl daemon-reexec
inside systemctl restart adit
expect_same_connectors
[ "$(control_inode)" = "$inode" ] || fail 'the control socket is another one'
expect_nothing_lost front control metrics

step 'what was kept and is not wanted any more is bound again: another mode'
remember
printf '[control]\nsocket_mode = "0660"\n' >>"$root/etc/adit/adit.toml"
inside systemctl restart adit
[ "$(inside stat -c %a /run/adit/adit.sock)" = 660 ] || fail 'the socket kept its mode'
cp "$overlay/good.toml" "$root/etc/adit/adit.toml"
inside systemctl restart adit
[ "$(inside stat -c %a /run/adit/adit.sock)" = 666 ] || fail 'the socket kept its mode'
expect_same_connectors
expect_nothing_lost front metrics

step 'a socket that somebody removes is in place again'
remember
inside rm /run/adit/adit.sock
until_true 'the control socket answers' inside adit version
until_true 'it is the daemon that answers' ready
inside systemctl restart adit
expect_same_connectors
