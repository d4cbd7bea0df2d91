# The machine goes down and comes up: the tunnels are what they were, and nothing is made anew at Cloudflare.

step 'reboot: the tunnel is back by itself, the same one'
tunnel_id() { inside adit -o json tunnel show web | grep -o '"id": *"[0-9a-f-]*"' | head -n 1; }
boot_id() { inside cat /proc/sys/kernel/random/boot_id; }
inside systemctl start adit
until_true 'both connectors are ready' ready
was=$(tunnel_id) booted=$(boot_id)
last=$(inside adit -o json events -n 1 | grep -o '"id": *[0-9]*' | grep -o '[0-9]*$' | tail -n 1)
reboot_machine
[ "$(boot_id)" != "$booted" ] || fail 'the machine is the same'
until_true 'both connectors are ready' ready
until_true 'a request gets through' serving
[ -n "$was" ] && [ "$(tunnel_id)" = "$was" ] || fail "the tunnel was $was and is $(tunnel_id)"
made=$(inside adit -o json events -n 1000 --since "$last" | grep '"step-applied"' || true)
[ -z "$made" ] || fail "something was made or changed at Cloudflare: $made"
