"""From nothing to tunnels that are ready, and back to nothing."""

import time

from measure.host import PASSES, api_calls


def provisioning(host, _pace, found):
    begun = time.monotonic()
    host.start()
    counters = host.counters_after_passes(1)
    host.all_ready()
    found["first_ready"] = time.monotonic() - begun
    found["first_provisioning"] = counters[f"{PASSES}_sum"]
    found["calls_first"] = api_calls(counters)


def teardown(host, _pace, found):
    """The configuration names no tunnel any more; what it left is deleted, as much as one look at the account shows, until nothing is."""
    before, begun = api_calls(host.counters()), time.monotonic()
    host.configure(tunnels=0)
    host.run("config", "reload")
    host.run("apply", "--yes")
    while "deleted" in host.run("apply", "--prune", "--yes"):
        pass
    found["teardown"] = time.monotonic() - begun
    found["calls_teardown"] = api_calls(host.counters()) - before
