"""When connectors and their like start, to the nanosecond: the stub, the floor, and the FIFO that stubs write to."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
F_SETPIPE_SZ = 1031


def compile_c(name, target, **definitions):
    flags = [f'-D{key}="{value}"' for key, value in definitions.items()]
    # The floor's stub stands for no other program.
    flags += [f'-D{key}=""' for key in ("FIFO", "PROGRAM") if key not in definitions]
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-static", "-Wall", "-Wextra", *flags, "-o", target,
                    HERE / "c" / f"{name}.c"], check=True)
    return target


class Starts:
    """The FIFO; each line of it is a start."""

    def __init__(self, path):
        os.mkfifo(path, 0o666)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""
        self.seen = []  # (ns, pid)

    def drain(self):
        while select.select([self.fd], [], [], 0)[0]:
            *lines, self.rest = (self.rest + os.read(self.fd, 1 << 16)).split(b"\n")
            self.seen += [tuple(map(int, line.split())) for line in lines]

    def wait(self, done, patience_s=60.0):
        deadline = time.monotonic() + patience_s
        while True:
            self.drain()
            if done():
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"no start within {patience_s:.0f} s")
            select.select([self.fd], [], [], 0.5)

    def after_kill(self, pid):
        """Kills a process; nanoseconds from just before that to the first instruction of the next one."""
        self.drain()
        begun, before = time.monotonic_ns(), len(self.seen)
        os.kill(pid, signal.SIGKILL)
        self.wait(lambda: len(self.seen) > before)
        at, successor = self.seen[before]
        return at - begun, successor


class Floor:
    """The least that a supervisor can do, with so many stubs."""

    def __init__(self, directory, how, count):
        directory.mkdir()
        stub = compile_c("stub", directory / "stub")
        self.starts = Starts(directory / "fifo")
        floor = compile_c("floor", directory / "floor")
        self.process = subprocess.Popen([floor, how, stub, directory / "fifo", str(count)])
        self.starts.wait(lambda: len(self.starts.seen) >= count)
        self.pids = [pid for _, pid in self.starts.seen]

    def kill_one(self, index):
        latency, self.pids[index] = self.starts.after_kill(self.pids[index])
        return latency

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
