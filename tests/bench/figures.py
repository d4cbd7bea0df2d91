#!/usr/bin/env python3
"""What Adit costs: prints the figures of one run on this machine.

    cargo build --release
    tests/bench/figures.py [--tunnels 3,100] [--kills 30]

It starts the sandbox (`adit sandbox`) and a real daemon in a temporary directory, reads the daemon's memory with each number of
tunnels, and kills connectors that have run stably: from just before the kill to the successor's process and until it serves.
Everything stays on this machine; nothing is left behind.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A connector that has been ready for 30 s is restarted at once; one that dies earlier waits for its back-off.
STABLE_S = 31.0
PATIENCE_S = 120.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Host:
    """A sandbox and a daemon with so many tunnels."""

    def __init__(self, adit, tunnels):
        self.directory = tempfile.TemporaryDirectory(prefix="adit-figures-")
        directory = Path(self.directory.name)
        self.sandbox = subprocess.Popen(
            [adit, "sandbox", "--directory", directory, "--no-rate-limit"], stdout=subprocess.PIPE, text=True)
        self.sandbox.stdout.readline()  # it says that it is ready
        self.socket = str(directory / "adit.sock")
        ingress = 'ingress = [{{ hostname = "t{0}.example.com", service = "http_status:200" }}]'
        lines = [
            (directory / "sandbox.toml").read_text(),
            "[daemon]", f'state_dir = "{directory}/state"', f'runtime_dir = "{directory}/run"',
            "[control]", f'socket = "{self.socket}"',
            "[metrics]", f'listen = "unix:{directory}/metrics.sock"',
            "[access]", f'admin = ["{os.getuid()}"]',
        ]
        for number in range(tunnels):
            lines += [f"[tunnels.t{number}]", ingress.format(number)]
        config = directory / "adit.toml"
        config.write_text("\n".join(lines) + "\n")
        log = open(directory / "daemon.log", "w")
        self.daemon = subprocess.Popen([adit, "daemon", "--config", config], stderr=log, stdout=subprocess.DEVNULL)
        self.begun = time.monotonic()
        self.wait(lambda: len(self.ready()) == tunnels, f"{tunnels} tunnels ready")
        self.ready_after = time.monotonic() - self.begun

    def get(self, path):
        connection = UnixConnection(self.socket)
        connection.request("GET", path)
        return json.load(connection.getresponse())

    def connectors(self):
        """The first connector of each tunnel, by the tunnel's name."""
        try:
            return {tunnel["name"]: tunnel["connectors"][0] for tunnel in self.get("/v1/tunnels") if tunnel["connectors"]}
        except OSError:
            return {}

    def ready(self):
        return {name: found for name, found in self.connectors().items() if found["state"] == "ready"}

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if self.daemon.poll() is not None:
                raise SystemExit(f"the daemon ended: {(Path(self.directory.name) / 'daemon.log').read_text()[-2000:]}")
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {PATIENCE_S:.0f} s: {what}")
            time.sleep(0.002)

    def memory(self):
        text = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.startswith(("VmRSS", "RssAnon"))}

    def kill(self, name):
        """Kills a connector; seconds until its successor's process was started (in steps of 10 ms), and until it served."""
        before = self.connectors()[name]
        begun = time.monotonic()
        begun_ticks = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.kill(before["pid"], signal.SIGKILL)
        after = {}

        def replaced():
            after.update(self.connectors().get(name, {}))
            return after.get("pid") not in (None, before["pid"]) and after["serving"]

        self.wait(replaced, f"{name} is replaced")
        serving = time.monotonic() - begun
        # Field 22 of stat, in ticks of 10 ms since boot: when the successor's process began.
        stat = Path(f"/proc/{after['pid']}/stat").read_text().rpartition(")")[2].split()
        started = int(stat[19]) / os.sysconf("SC_CLK_TCK") - begun_ticks
        return max(started, 0.0), serving

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(60)
        self.sandbox.terminate()
        self.sandbox.wait(10)
        self.directory.cleanup()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--adit", default=str(ROOT / "target/release/adit"))
    options.add_argument("--tunnels", default="3,100")
    options.add_argument("--kills", type=int, default=30)
    options = options.parse_args()
    print(f"binary {os.path.getsize(options.adit) / 2**20:.1f} MiB")
    for number in map(int, options.tunnels.split(",")):
        host = Host(options.adit, number)
        try:
            time.sleep(5)  # the daemon's memory settles
            memory = host.memory()
            print(f"{number} tunnels: all ready after {host.ready_after:.1f} s, daemon RSS {memory['VmRSS']} KiB, "
                  f"of it anonymous {memory['RssAnon']} KiB", flush=True)
            if number >= options.kills:
                time.sleep(STABLE_S)
                samples = [host.kill(f"t{index}") for index in range(options.kills)]
                for label, column in (("its successor's process", 0), ("its successor serving", 1)):
                    values = sorted(sample[column] * 1000 for sample in samples)
                    print(f"  kill -9 to {label}: median {statistics.median(values):.0f} ms, "
                          f"max {values[-1]:.0f} ms over {len(values)} kills", flush=True)
        finally:
            host.stop()


if __name__ == "__main__":
    main()
