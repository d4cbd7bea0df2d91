"""The edge goes away for a while: from its return until every tunnel serves."""

import time

from measure.host import Host


def measure(run, found):
    tunnels = run.pace.outage_tunnels
    with Host(run.adit, tunnels) as host:
        host.start()
        host.wait_until_all_serve()
        run.say(f"{tunnels} tunnels: an outage of {run.pace.outage_s:.0f} s")
        host.tell_sandbox("edge down")
        time.sleep(run.pace.outage_s)
        host.tell_sandbox("edge up")
        found["tunnels"], found["lasted"], found["healed"] = tunnels, run.pace.outage_s, host.wait_until_all_serve()
        # The floor: as many connectors that are simply started.
        host.stop()
        begun = time.monotonic()
        host.start()
        host.wait_until_all_serve()
        found["floor"] = time.monotonic() - begun
