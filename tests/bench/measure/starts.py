"""When connectors and their like start, to the nanosecond: the floor with its stubs, and the FIFO that each start is written to."""

import os
import select
import signal
import subprocess
import time

from measure.c import compile_c


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
            # A stub says more than that.
            self.seen += [tuple(map(int, line.split()[:2])) for line in lines]

    def wait(self, done, patience_s=60.0):
        deadline = time.monotonic() + patience_s
        while True:
            self.drain()
            if done():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"no start within {patience_s:.0f} s")
            select.select([self.fd], [], [], 0.5)

    def after_kill(self, pid):
        """Kills a process; seconds from just before that until the kernel has ended it, and until the first instruction of the next one,
        and which that is."""
        self.drain()
        process = os.pidfd_open(pid)
        begun, before = time.monotonic_ns(), len(self.seen)
        os.kill(pid, signal.SIGKILL)
        select.select([process], [], [], 60.0)
        ended = time.monotonic_ns()
        os.close(process)
        self.wait(lambda: len(self.seen) > before)
        at, successor = self.seen[before]
        return (ended - begun) / 1e9, (at - begun) / 1e9, successor

    def close(self):
        os.close(self.fd)


class Floor:
    """The least that a supervisor can do, with so many stubs."""

    def __init__(self, folder, how, count):
        folder.mkdir()
        stub, floor = (compile_c(name, folder / name) for name in ("stub", "floor"))
        self.starts = Starts(folder / "fifo")
        self.process = subprocess.Popen([floor, how, stub, folder / "fifo", *map(str, range(count))])
        self.starts.wait(lambda: len(self.starts.seen) >= count)
        self.pids = [pid for _, pid in self.starts.seen]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.starts.close()

    def kill_one(self, index):
        """Seconds until the kernel has ended a stub, and until its successor's first instruction."""
        ended, latency, self.pids[index] = self.starts.after_kill(self.pids[index])
        return ended, latency
