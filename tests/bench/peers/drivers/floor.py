"""The physical floor: ../c/floor.c, a parent that reaps and respawns at once and does nothing else."""

from __future__ import annotations

from harness.driver import Driver


class FloorVfork(Driver):
    name = "floor"
    profiles = {"default": "vfork + execve, pidfds in epoll, respawn at once"}
    mode = "vfork"

    @classmethod
    def version(cls) -> str:
        return "-"

    def start(self) -> None:
        self.process = self.spawn([str(self.job.floor), self.mode, str(self.job.stub), str(self.job.fifo),
                                   *self.job.names])


class FloorFork(FloorVfork):
    name = "floor-fork"
    profiles = {"default": "fork + execve (execs overlap), pidfds in epoll, respawn at once"}
    mode = "fork"


class FloorBoxed(FloorVfork):
    name = "floor-boxed"
    profiles = {"default": "as floor, and each service in a session and under limits and Landlock: what isolation costs the kernel"}
    mode = "boxed"
