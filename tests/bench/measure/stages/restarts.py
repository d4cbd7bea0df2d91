"""How fast a daemon is back after a crash, and starts what is known; the floor of both is that the program starts at all."""

import subprocess
import time

from measure.samples import Samples

# Starts of the bare program for each of the daemon's.
BARE_STARTS = 5


def restarts(host, pace, found):
    host.configure()  # without what scrapes of connectors take
    floor = []
    adoptions(host, pace, found, floor)
    starts(host, pace, found, floor)
    found["exec_floor"] = Samples.of(floor)


def adoptions(host, pace, found, floor):
    before, ready, known = host.pids(), [], []
    for _ in range(pace.repeated):
        floor.extend(bare_starts(host))
        host.kill()
        begun = time.monotonic()
        ready.append(host.start())
        host.wait(lambda: len(host.connectors()) == len(before), "the status shows every connector")
        known.append(time.monotonic() - begun)
        if host.pids() != before:
            raise RuntimeError("after kill -9 of the daemon there are other connectors")
        host.all_ready()
    found["adopted_ready"], found["adopted_known"] = Samples.of(ready), Samples.of(known)


def starts(host, pace, found, floor):
    stopped, ready, started = [], [], []
    for _ in range(pace.repeated):
        floor.extend(bare_starts(host))
        stopped.append(host.stop())
        ready.append(host.start())
        started.append(host.all_ready())
    found["stop"], found["ready"], found["started"] = map(Samples.of, (stopped, ready, started))


def bare_starts(host):
    """Seconds that the program takes to be executed and linked, and to end."""
    for _ in range(BARE_STARTS):
        begun = time.monotonic()
        subprocess.run([host.adit, "--version"], check=True, stdout=subprocess.DEVNULL)
        yield time.monotonic() - begun
