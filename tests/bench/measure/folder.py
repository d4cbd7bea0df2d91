"""A temporary folder that takes every process with it that has something to do with it."""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

# Until the last process of a folder is gone after SIGKILL.
GONE_S = 30.0


class Folder:
    """Connectors outlive their daemon, which is what is measured; their command lines name the folder."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="adit-bench-")
        self.path = Path(self.temporary.name)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        with undisturbed():
            self.end_processes()
            self.temporary.cleanup()

    def end_processes(self):
        deadline = time.monotonic() + GONE_S
        while found := list(self.processes()):
            for process in found:
                self.end(process)
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {found} do not end")
            time.sleep(0.01)

    def processes(self):
        own = os.getpid()
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != own and self.is_named_by(int(entry)):
                yield int(entry)

    def is_named_by(self, process):
        try:
            return os.fsencode(self.path) in Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            return False

    def end(self, process):
        try:
            descriptor = os.pidfd_open(process)
        except OSError:
            return  # it has just ended
        try:
            # Looked at again: the number may have become another's before there was a descriptor for it.
            if self.is_named_by(process):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def undisturbed():
    """Whoever wants to end this waits until it is through."""
    arrived = []
    earlier = {one: signal.signal(one, lambda number, _: arrived.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)
    for number in arrived:
        signal.raise_signal(number)
