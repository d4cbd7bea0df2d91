#!/usr/bin/env python3
"""What Adit costs and how fast it is: prints the figures of one run on this machine, beside the goals.

    cargo build --release
    tests/bench/figures.py [--only kills,adoption,ready,outage,udp,scrapes]

Each figure has a sandbox (`adit sandbox`) and a real daemon in a temporary directory. Everything stays on this machine; nothing is
left behind. Needs a C compiler. Whatever else the machine does shows in the figures; the floor is measured in the same run, kill by
kill, so that its ratio holds nevertheless.
"""

import argparse
import math
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from host import Host  # noqa: E402
from starts import Floor, Starts, compile_c  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
# A connector that has been ready for 30 s is restarted at once; one that dies earlier waits for its back-off.
STABLE_S = 31.0
# Until memory and threads have settled after a start.
SETTLE_S = 12.0
IDLE_S = 60.0
REPEATED = 5
SCRAPES = 30


def row(what, value, goal=""):
    print(f"{what:<68}{value:>26}{goal:>22}", flush=True)


def quantile(values, share):
    """By nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def in_ms(values, digits=0):
    return f"{statistics.median(values) * 1000:.{digits}f} ms (max {max(values) * 1000:.{digits}f})"


def kills(adit, options):
    """From kill -9 of a connector to its successor's first instruction, and the same of the floor."""
    tunnels, replicas = 20, math.ceil(options.kills / 20)
    with tempfile.TemporaryDirectory(prefix="adit-figures-") as text:
        floors = [Floor(Path(text) / how, how, tunnels * replicas) for how in ("vfork", "fork")]
        found = {}

        def timed(directory):
            found["starts"] = Starts(directory / "starts")
            return compile_c("stub", directory / "timed-cloudflared", FIFO=directory / "starts",
                             PROGRAM=directory / "cloudflared")

        try:
            with Host(adit, tunnels, replicas, cloudflared=timed, local=True) as host:
                host.start()
                host.all_ready()
                time.sleep(STABLE_S)
                starts, victims = found["starts"], sorted(host.pids())
                dice = random.Random(7)
                dice.shuffle(victims)
                ours, theirs = [], [[], []]
                spent, _ = host.usage()
                for index, victim in enumerate(victims[:options.kills]):
                    ours.append(starts.after_kill(victim)[0] / 1e6)
                    time.sleep(dice.uniform(0.1, 0.3))
                    for floor, latencies in zip(floors, theirs):
                        latencies.append(floor.kill_one(index) / 1e6)
                # Probes of a hundred connectors are in it, 20 a second.
                cost = (host.usage()[0] - spent) / 1e6 / len(ours)
        finally:
            for floor in floors:
                floor.stop()
    best = min(theirs, key=statistics.median)
    row(f"kill -9 of a connector to its successor, {len(ours)} kills: median",
        f"{statistics.median(ours):.2f} ms")
    row("    p99", f"{quantile(ours, 0.99):.2f} ms")
    row("    the floor (reap, fork, exec): median, p99", f"{statistics.median(best):.2f}, {quantile(best, 0.99):.2f} ms")
    row("    ratio of the medians", f"{statistics.median(ours) / statistics.median(best):.1f}", "at most 2")
    row("    daemon's processor time for one restart, until it is ready again", f"{cost:.2f} ms")


def adoption(adit, options):
    """Adoption after kill -9 of the daemon, and what many idle connectors cost."""
    for count in map(int, options.connectors.split(",")):
        with Host(adit, 20, math.ceil(count / 20), local=True) as host:
            host.start()
            host.all_ready()
            time.sleep(SETTLE_S)
            before, ready, known = host.pids(), [], []
            for _ in range(REPEATED):
                host.kill()
                begun = time.monotonic()
                ready.append(host.start())
                host.wait(lambda: len(host.connectors()) == len(before), "every connector is adopted")
                known.append(time.monotonic() - begun)
                assert host.pids() == before, "the same connectors, and no other"
                host.all_ready()
            row(f"kill -9 of the daemon to READY, {count} connectors adopted", in_ms(ready), "500: 500 ms")
            row("    until the status shows every one of them", in_ms(known))
            time.sleep(STABLE_S)
            (spent, woken), begun = host.usage(), time.monotonic()
            time.sleep(IDLE_S)
            (spent_later, woken_later), length = host.usage(), time.monotonic() - begun
            share = (spent_later - spent) / 1e9 / length
            row(f"processor time of the daemon with {count} idle connectors, over {length:.0f} s",
                f"{share:.2%} of a core", "500: under 1 %")
            row("    wake-ups a second", f"{(woken_later - woken) / length:.0f}")
            resident, own = host.memory()
            row(f"memory of the daemon with {count} connectors: RSS, of it anonymous", f"{resident}, {own} KiB",
                f"{12 * 1024 + 24 * count} KiB")


def ready(adit, _options):
    """Start to READY with a hundred known tunnels that do not run."""
    with Host(adit, 100, local=True) as host:
        host.start()
        row("first provisioning of 100 tunnels, until every one is ready", f"{host.all_ready():.1f} s")
        times = []
        for _ in range(REPEATED):
            host.terminate()
            times.append(host.start())
            host.all_ready()
        row("start to READY with 100 known tunnels", in_ms(times), "100 ms")


def outage(adit, options):
    """The edge goes away for a while: from its return until every tunnel serves."""
    with Host(adit, 30) as host:
        host.start()
        host.all_ready()
        host.wait(lambda: len(host.serving()) == 30, "every tunnel serves")
        host.tell_sandbox("edge down")
        time.sleep(options.outage)
        begun = time.monotonic()
        host.tell_sandbox("edge up")
        host.wait(lambda: len(host.serving()) == 30, "every tunnel serves again", pause=0.02)
        row(f"edge back after {options.outage} s, until all of 30 tunnels serve", f"{time.monotonic() - begun:.1f} s",
            "5 s")


def udp(adit, _options):
    """UDP is blocked from the beginning: from the start until it is served over HTTP/2."""
    with Host(adit, 1) as host:
        host.tell_sandbox("udp blocked")
        begun = time.monotonic()
        host.start()
        host.wait(lambda: host.serving() == {0}, "the tunnel serves", pause=0.02)
        row("UDP blocked at a cold start, until the tunnel serves", f"{time.monotonic() - begun:.1f} s", "15 s")


def scrapes(adit, options):
    """What a scrape costs, of own families alone and with those of the connectors."""
    for count in map(int, options.tunnels.split(",")):
        for relay in (False, True):
            with Host(adit, count, local=True, relay=relay) as host:
                host.start()
                host.all_ready()
                time.sleep(SETTLE_S)
                what = "all families" if relay else "own families"
                before = host.memory()[1]
                for zipped in (False, True):
                    sizes, times = zip(*(host.scrape(zipped=zipped) for _ in range(SCRAPES)))
                    row(f"scrape of {what}, {count} tunnels{', gzip' if zipped else ''}: {sizes[-1] / 1024:.0f} KiB", in_ms(times, 1),
                        "" if relay else "1000: 10 ms")
                # What a scrape needs is given back, or used again by the next.
                first = host.memory()[1]
                for _ in range(2 * SCRAPES):
                    host.scrape(zipped=True)
                row("    anonymous memory before, after these, and after as many again",
                    f"{before}, {first}, {host.memory()[1]} KiB")


FIGURES = {"kills": kills, "adoption": adoption, "ready": ready, "outage": outage, "udp": udp, "scrapes": scrapes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adit", default=str(ROOT / "target/release/adit"))
    parser.add_argument("--only", default=",".join(FIGURES), help="some of them (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--connectors", default="100,500", help="how many are adopted (default: %(default)s)")
    parser.add_argument("--tunnels", default="10,100,1000", help="how many are scraped (default: %(default)s)")
    parser.add_argument("--outage", type=int, default=60, help="how long, in seconds (default: %(default)s)")
    options = parser.parse_args()
    # Whoever ends this ends the sandboxes and daemons with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    names = options.only.split(",")
    if unknown := set(names) - set(FIGURES):
        parser.error(f"no such figures: {', '.join(sorted(unknown))}")
    row("binary", f"{os.path.getsize(options.adit) / 2**20:.1f} MiB")
    for name in names:
        try:
            FIGURES[name](options.adit, options)
        except (SystemExit, AssertionError, OSError) as failure:
            if str(failure) == "ended by SIGTERM":
                raise
            row(f"{name}: {str(failure)[:120]}", "not measured")


if __name__ == "__main__":
    main()
