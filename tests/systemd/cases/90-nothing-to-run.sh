step 'without a configuration that was ever accepted: exit 78, no restarts'
inside systemctl stop adit
inside sh -c 'rm -rf /var/lib/adit/accepted; echo "nonsense = 1" >/etc/adit/adit.toml'
inside systemctl start adit 2>/dev/null && fail 'the unit started without a configuration'
[ "$(property ExecMainStatus)" = 78 ] || fail "the daemon ended with $(property ExecMainStatus)"
is_state failed || fail "the unit is $(property ActiveState)"
