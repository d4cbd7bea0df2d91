"""Adit: its daemon, with `adit sandbox` as the Cloudflare that it asks and c/connector.c as the cloudflared that it runs.

A service is the one connector of one tunnel. Its tunnel is provisioned before anything is measured, as on a host that boots again.
The program is $ADIT, the `adit` in PATH, or the release build that this folder lies in.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import Callable

from harness import proc
from harness.driver import Driver, first_line, unix_request, wait_for

PEERS = Path(__file__).resolve().parents[1]


def program() -> str | None:
    built = [parent / "target/release/adit" for parent in PEERS.parents]
    return os.environ.get("ADIT") or shutil.which("adit") or next((str(path) for path in built if path.exists()), None)


@functools.cache
def connector() -> bytes:
    """The service's program."""
    with tempfile.TemporaryDirectory(prefix="bpc") as folder:
        target = Path(folder) / "connector"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-static", "-Wall", "-Wextra", "-o", str(target),
                        str(PEERS.parent / "c" / "connector.c")], check=True)
        return target.read_bytes()


class Adit(Driver):
    name = "adit"
    profiles = {"default": "a tunnel with one connector a service, all defaults"}
    # It takes no time between a death and a restart, but a connector that was ready for less than 30 s waits for its back-off.
    stable_s = 31.0
    settle_s = 12.0
    api_label = "HTTP over its control socket: GET /v1/tunnels"
    notes = ("a connector is more than a service: it has a record, a secret, a log, a listening socket and a box of its own, "
             "and is asked every 5 s whether it is ready")

    def __init__(self, job) -> None:
        super().__init__(job)
        # So many connectors may be restarted in a second; a random pause alone exceeds it with 50 of them.
        self.pace_s = 1 / max(2, len(job.names) / 10)
        self.sandbox: subprocess.Popen | None = None
        # On a host it is in /run: memory, not disk.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.runtime = Path(tempfile.mkdtemp(prefix="bpr", dir=memory))
        weakref.finalize(self, shutil.rmtree, self.runtime, ignore_errors=True)
        self.env["ADIT_SOCKET"] = str(self.socket)

    @classmethod
    def missing(cls) -> str | None:
        return None if program() else "no release build, and no adit in PATH"

    @classmethod
    def version(cls) -> str:
        return first_line([program(), "version"], "adit")

    @property
    def socket(self) -> Path:
        return self.runtime / "adit.sock"

    @property
    def config(self) -> Path:
        return self.job.dir / "adit.toml"

    def prepare(self) -> None:
        self.job.stub.write_bytes(connector())
        folder = self.job.dir / "sandbox"
        folder.mkdir()
        self.sandbox = subprocess.Popen(
            [program(), "sandbox", "--directory", str(folder), "--no-rate-limit"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.job.dir, start_new_session=True)
        self.sandbox.stdout.readline()  # it says that it is ready
        self.config.write_text(self.configuration((folder / "sandbox.toml").read_text()))
        self.start()
        wait_for(lambda: self.ready() == len(self.job.names), self.start_timeout_s, "every tunnel is provisioned")
        self.end_process(signal.SIGTERM, 60)

    def configuration(self, sandbox: str) -> str:
        work = self.job.dir
        sandbox = sandbox.replace(json.dumps(f"{work}/sandbox/cloudflared"), json.dumps(str(self.job.stub)))
        sandbox = sandbox.replace("env = {", f"env = {{ STUB_FIFO = {json.dumps(str(self.job.fifo))},")
        lines = [
            # What answers on loopback has no limit.
            sandbox, 'budget = "1000/s"',
            "[daemon]", f"state_dir = {json.dumps(f'{work}/state')}", f"runtime_dir = {json.dumps(str(self.runtime))}",
            "[control]", f"socket = {json.dumps(str(self.socket))}",
            "[metrics]", f"listen = {json.dumps(f'unix:{work}/metrics.sock')}",
            "[access]", f'admin = ["{os.getuid()}"]',
        ]
        for name in self.job.names:
            lines += [f"[tunnels.{name}]", 'configuration = "local"',
                      f'ingress = [{{ hostname = "{name}.example.com", service = "http_status:200", dns = false }}]']
        return "\n".join(lines) + "\n"

    def start(self) -> None:
        self.process = self.spawn([program(), "daemon", "--config", str(self.config)])

    def companions(self) -> list[int]:
        return [self.sandbox.pid] if self.sandbox and proc.is_live(self.sandbox.pid) else []

    def status_cli(self) -> list[str]:
        return [program(), "status"]

    def status_api(self) -> Callable[[], int]:
        wait_for(self.socket.exists, 10, "control socket")
        return lambda: self.tunnels().count(b'"connectors":')

    def tunnels(self) -> bytes:
        return unix_request(self.socket, b"GET /v1/tunnels HTTP/1.1\r\nHost: adit\r\nConnection: close\r\n\r\n")

    def ready(self) -> int:
        if self.process.poll() is not None:
            raise RuntimeError("the daemon ended: " + (self.job.dir / "out.log").read_text()[-300:])
        try:
            tunnels = json.loads(self.tunnels().split(b"\r\n\r\n", 1)[1])
        except (OSError, IndexError, ValueError):
            return 0
        return sum(one["state"] == "ready" for tunnel in tunnels for one in tunnel["connectors"])
