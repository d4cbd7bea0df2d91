"""How long a Unix socket takes to answer, by clients in C (`c/load.c`) that cost little beside what they ask."""

import os
import subprocess
from dataclasses import dataclass

from measure.c import compile_c
from measure.samples import Samples

# More than 16 connections of one user are for root.
CLIENTS = 50 if os.getuid() == 0 else 16


@dataclass(frozen=True)
class Answers:
    """The rate is a second, the size is in bytes."""

    taken: Samples
    rate: float
    size: int


class Load:
    def __init__(self, folder):
        self.program = compile_c("load", folder / "load")

    def ask(self, path_of_socket, path, *, seconds, clients=1, period_ms=0, header=None):
        """Each client asks so often, or at once again."""
        command = [self.program, path_of_socket, path, str(clients), str(seconds), str(period_ms * 1000)]
        done = subprocess.run(command + ([header] if header else []), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"no answers to GET {path}: {done.stderr.strip()}")
        _, rate, median, p99, _, size = map(float, done.stdout.split())
        return Answers(Samples(median / 1e6, p99 / 1e6, "p99"), rate, int(size))
