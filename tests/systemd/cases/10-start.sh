# What runs, as whom and where; then traffic begins.

step 'both connectors serve, the status line counts them, systemd keeps the listeners'
until_true 'both connectors are ready' ready
until_true 'a request gets through' serving
counts() { property StatusText | grep -q '1 tunnel: 1 ready'; }
until_true 'the status line counts' counts
[ "$(inside stat -c %U /run/adit/adit.sock)" = adit ] || fail 'the socket does not belong to the daemon'
[ "$(inside ps -o user= -p "$(daemon)")" = adit ] || fail 'the daemon runs as another user'
until_true 'systemd keeps both listeners' keeps_both_listeners

step 'the journal has the events, with fields'
inside journalctl ADIT_TUNNEL=web --no-pager -o cat | grep -q 'is ready' || fail 'no event of web in the journal'

step 'each connector is in a cgroup of its own, and boxed where the kernel can'
leaves=$(inside sh -c 'cat /sys/fs/cgroup/system.slice/adit.service/c-web.*/cgroup.procs' | sort | tr '\n' ' ')
[ "$leaves" = "$(connectors)" ] || fail "in leaves: $leaves; connectors: $(connectors)"
# ABI version: 0 or an error where there is no Landlock.
abi=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))' 2>/dev/null || echo 0)
if [ "$abi" -gt 0 ]; then
    inside journalctl ADIT_EVENT=connectors-boxed --no-pager -o cat | grep -q Landlock || fail 'connectors are not boxed'
fi

step 'the sandbox of the unit is no wider than it was'
exposure=$(inside systemd-analyze security --no-pager adit | sed -n 's/.*level for adit.service: \([0-9.]*\) .*/\1/p')
printf 'exposure %s\n' "$exposure"
[ "$(printf '%s\n1.5\n' "$exposure" | sort -n | tail -n 1)" = 1.5 ] || fail "the exposure is $exposure"

step 'clients begin to ask, and to follow'
start_traffic
follow() { inside systemd-run --quiet --unit="follow-$1" sh -c "exec $2 >/opt/traffic/$1.out 2>/opt/traffic/$1.err"; }
follow events 'adit -o json events -f'
follow logs 'adit logs -f web'
