"""A first provisioning that has a rate limit to wait for: what it takes beyond that."""

from measure.host import PASSES, Host, api_calls

# The default budget, and what it lets through at once.
CALLS_A_SECOND = 3.0
BURST = 30


def measure(run, found):
    if not run.pace.limited_tunnels:
        return
    with Host(run.adit, run.pace.limited_tunnels, limited=True) as host:
        run.say(f"{host.tunnels} tunnels within the rate limit")
        host.start()
        counters = host.counters_after_passes(1)
    found["tunnels"], found["calls"], found["taken"] = host.tunnels, api_calls(counters), counters[f"{PASSES}_sum"]
    found["waited"] = (found["calls"] - BURST) / CALLS_A_SECOND
    found["beyond"] = found["taken"] - found["waited"]
