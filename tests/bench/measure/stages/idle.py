"""What a daemon costs while nothing happens, and the floors of that."""

import subprocess
import time

from measure import process
from measure.c import compile_c
from measure.host import PASSES, api_calls

# As often as a daemon asks its connectors.
ASKING_PERIOD_MS = 5000
# Where a connector finds the listener of its metrics.
METRICS_DESCRIPTOR = 3
# Between two looks at a process that is about to come to rest.
REST_S = 0.3


def idle(host, pace, found):
    time.sleep(pace.settle_s)
    counters = host.counters()
    daemon = host.daemon.pid
    before, begun = process.threads(daemon), time.monotonic()
    time.sleep(pace.idle_s)
    after, length = process.threads(daemon), time.monotonic() - begun
    rates = process.spent_between(before, after, length)
    found["by_thread"] = {name: {"share": share, "wakeups": woken} for name, (share, woken) in rates.items()}
    found["idle_share"] = sum(share for share, _ in rates.values())
    found["idle_wakeups"] = sum(woken for _, woken in rates.values())
    found["threads"] = sum(count for count, _, _ in after.values())
    found["descriptors"] = process.descriptors(daemon)
    found |= process.memory(daemon)
    idle_passes(host, counters, found)
    floors(host, pace, found)


def idle_passes(host, before, found):
    """What the passes since `before` cost, which found nothing to do."""
    after = host.counters_after_passes(before[f"{PASSES}_count"] + 1)
    made = after[f"{PASSES}_count"] - before[f"{PASSES}_count"]
    found["idle_pass"] = (after[f"{PASSES}_sum"] - before[f"{PASSES}_sum"]) / made
    found["calls_idle"] = (api_calls(after) - api_calls(before)) / made


def floors(host, pace, found):
    found["memory_floor"] = waiting_process(host)
    asker = compile_c("asker", host.folder / "asker")
    addresses = process.listening_addresses(host.pids(), METRICS_DESCRIPTOR)
    for how in ("fresh", "kept"):
        command = [asker, how, str(pace.asking_s), str(ASKING_PERIOD_MS), *addresses]
        milliseconds = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found[f"asking_{how}"] = float(milliseconds) / 1000


def waiting_process(host):
    """The memory of the same program while it waits for its first request."""
    command = [host.adit, "--socket", host.socket, "mcp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as waiting:
        spent = -1.0
        while (now := process.processor_time(waiting.pid)) != spent:
            spent = now
            time.sleep(REST_S)
        memory = process.memory(waiting.pid)
        waiting.stdin.close()
    return memory
