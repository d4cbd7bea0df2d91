"""What tunnels with a connector each cost, from their first provisioning to their deletion, for each of some numbers of them."""

from measure.host import Host
from measure.stages.idle import idle
from measure.stages.provisioning import provisioning, teardown
from measure.stages.requests import requests, scrapes
from measure.stages.restarts import restarts

STAGES = (provisioning, idle, requests, scrapes, restarts, teardown)
# A stand-in for cloudflared and what the kernel keeps for it, with room to spare.
CONNECTOR_MIB = 4


def measure(run, found):
    for count in run.pace.sizes:
        with run.part(f"{count} connectors"):
            if (room := memory_holds()) < count:
                raise RuntimeError(f"memory holds fewer connectors: about {room}")
            measure_one(run, count, found.setdefault(str(count), {}))


def measure_one(run, count, figures):
    with Host(run.adit, count, sync_interval_s=run.pace.sync_interval_s) as host:
        for stage in STAGES:
            name = f"{count} connector{'s' if count > 1 else ''}: {stage.__name__}"
            run.say(name)
            with run.part(name):
                stage(host, run.pace, figures)
            if not host.is_running():
                return


def memory_holds():
    with open("/proc/meminfo") as lines:
        available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return available // 1024 // CONNECTOR_MIB
