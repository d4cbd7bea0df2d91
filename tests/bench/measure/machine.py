"""On what it is measured."""

import os
import platform
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# How long it is watched whether others are at work, and the share of the machine from which on times are not to be trusted.
WATCH_S = 1.0
BUSY = 0.1


def describe(adit):
    used = used_by_others()
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "rustc": first_line(["rustc", "--version"]),
        "commit": first_line(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
        "binary_mib": round(os.path.getsize(adit) / 2**20, 1),
        "load": os.getloadavg()[0],
        "used_by_others": used,
        "is_busy": used > BUSY,
    }


def line(machine):
    busy = ": wall-clock times say little" if machine["is_busy"] else ""
    return (f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
            f"{machine['rustc']}; commit {machine['commit']}, binary {machine['binary_mib']} MiB; load {machine['load']:.2f}, "
            f"{machine['used_by_others']:.0%} used by others{busy}")


def used_by_others():
    """The share of all cores that somebody uses while this does nothing. The load says what was."""
    before = processor_ticks()
    time.sleep(WATCH_S)
    idle, everything = (after - earlier for earlier, after in zip(before, processor_ticks()))
    return 1 - idle / everything


def processor_ticks():
    """Of all cores: those without work, and all of them."""
    with open("/proc/stat") as lines:
        ticks = [int(count) for count in lines.readline().split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def processor():
    with open("/proc/cpuinfo") as lines:
        names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        return next(names, platform.machine())


def first_line(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return text.partition("\n")[0]
