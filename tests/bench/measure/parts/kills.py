"""From kill -9 of a connector to its successor's first instruction, and the same of the floor, kill by kill."""

import random
import time
from contextlib import ExitStack

from measure import process
from measure.c import compile_c
from measure.folder import Folder
from measure.host import STABLE_S, Host
from measure.samples import Samples
from measure.starts import Floor, Starts

REPLICAS = 5
# A fixed one: each run kills the same places.
SEED = 7
# Restarts a second of so many connectors before Adit slows them down, as it does in a storm.
STORM_MIN, STORM_SHARE = 2, 0.1


def measure(run, found):
    tunnels, dice = run.pace.killed_tunnels, random.Random(SEED)
    with ExitStack() as stack:
        starts = []
        host = Host(run.adit, tunnels, REPLICAS, local=True, cloudflared=lambda folder: timed(folder, starts))
        stack.enter_context(host)
        folder = stack.enter_context(Folder())
        floors = {how: stack.enter_context(Floor(folder / how, how, tunnels * REPLICAS)) for how in ("vfork", "fork", "boxed")}
        host.start()
        host.all_ready()
        run.say(f"{tunnels * REPLICAS} connectors: {run.pace.kills} kills")
        time.sleep(STABLE_S)
        pause_s = 1 / max(STORM_MIN, STORM_SHARE * host.tunnels * host.replicas)
        victims = sorted(host.pids())
        dice.shuffle(victims)
        ours, theirs = [], {how: [] for how in floors}
        spent = process.processor_time(host.daemon.pid)
        for index, victim in enumerate(victims[:run.pace.kills]):
            ours.append(starts[0].after_kill(victim)[:2])
            time.sleep(dice.uniform(pause_s, 2 * pause_s))
            for how, floor in floors.items():
                theirs[how].append(floor.kill_one(index))
        # The probes of all connectors are in it.
        found["processor_time"] = (process.processor_time(host.daemon.pid) - spent) / len(ours)
    found["latency"] = Samples.of([latency for _, latency in ours])
    found["ended"] = Samples.of([ended for ended, _ in ours])
    bare = [Samples.of([latency for _, latency in theirs[how]]) for how in ("vfork", "fork")]
    found["floor"] = min(bare, key=lambda samples: samples.median)
    # A connector has more for the kernel to take apart than a stub.
    found["boxed"] = Samples.of([latency + end - stubs_end for (stubs_end, latency), (end, _) in zip(theirs["boxed"], ours)])


def timed(folder, starts):
    """A connector's program that first says that it runs."""
    starts.append(Starts(folder / "starts"))
    return compile_c("timed", folder / "timed-cloudflared", FIFO=folder / "starts", PROGRAM=folder / "cloudflared")
