#!/usr/bin/env python3
"""How fast the control socket answers with a thousand tunnels, and how soon `adit status` shows something.

    cargo build --release
    tests/bench/requests.py [--tunnels 1000] [--seconds 10] [--clients 50]

A real daemon against the sandbox, in a temporary directory; each tunnel has its connector. The clients (`c/load.c`) are threads with a
connection each. They are one user, so it takes root to have more than 16. First each asks now and then, as pollers do; then each as soon
as it is answered, which shows how much there is to have. Beside the list of a thousand tunnels stands one answer of a few bytes, which is
what the socket itself costs. Needs a C compiler.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
from figures import row  # noqa: E402
from host import Host  # noqa: E402
from starts import compile_c  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RUNS = 50
# Polls of one client: all of them together ask for fifty times that.
PERIODS_MS = (1000, 200)
# Until connectors that have just started are quiet.
SETTLE_S = 10


def load(host, path, options, period_ms):
    arguments = [host.directory / "load", host.socket, path, str(options.clients), str(options.seconds), str(period_ms * 1000)]
    answers, rate, middle, late, longest, size = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split()
    what = f"each every {period_ms} ms" if period_ms else "each at once again"
    ms = [f"{int(value) / 1000:.2f}" for value in (middle, late, longest)]
    row(f"GET {path} ({int(size) / 1024:.0f} KiB), {options.clients} clients, {what}: p50, p99, max",
        f"{ms[0]}, {ms[1]}, {ms[2]} ms", "p99 5 ms" if period_ms else "")
    row(f"    {answers} answers", f"{rate}/s")


def first_output(host, tunnels):
    """From the start of `adit status` until the first byte of what it shows."""
    taken = []
    for _ in range(RUNS):
        begun = time.monotonic()
        status = subprocess.Popen([host.adit, "--socket", host.socket, "status"], stdout=subprocess.PIPE)
        status.stdout.read(1)
        taken.append((time.monotonic() - begun) * 1000)
        status.stdout.read()
        status.wait()
    row(f"adit status with {tunnels} tunnels to its first output, median of {RUNS} (max)",
        f"{statistics.median(taken):.1f} ({max(taken):.1f}) ms", "15 ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adit", default=str(ROOT / "target/release/adit"))
    parser.add_argument("--tunnels", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    if os.getuid() != 0 and options.clients > 16:
        parser.error("a user has at most 16 connections: be root, or --clients 16")
    for tunnels in (3, options.tunnels):
        with Host(options.adit, tunnels, local=True) as host:
            host.start()
            host.all_ready()
            time.sleep(SETTLE_S)
            first_output(host, tunnels)
            if tunnels == options.tunnels:
                compile_c("load", host.directory / "load")
                for path in ("/v1/tunnels", "/v1/version"):
                    for period in (*PERIODS_MS, 0):
                        load(host, path, options, period)


if __name__ == "__main__":
    main()
