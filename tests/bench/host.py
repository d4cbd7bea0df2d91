"""A sandbox and a daemon in a temporary directory, and what the daemon and the kernel say of them."""

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

# Until anything comes true; the longest outage of stock cloudflared's back-off is 352 s.
PATIENCE_S = 400.0
# Grace period and margin, and some more.
STOP_S = 60.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Host:
    """So many tunnels with so many connectors each."""

    def __init__(self, adit, tunnels, replicas=1, cloudflared=None, local=False, relay=True):
        self.adit, self.tunnels, self.replicas = adit, tunnels, replicas
        self.temporary = tempfile.TemporaryDirectory(prefix="adit-figures-")
        self.directory = Path(self.temporary.name)
        self.daemon = None
        self.sandbox = subprocess.Popen([adit, "sandbox", "--directory", self.directory, "--no-rate-limit"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        front = self.sandbox.stdout.readline().split("//")[1].strip()  # the line says that it is ready, too
        self.front = (front.split(":")[0], int(front.split(":")[1]))
        self.socket = str(self.directory / "adit.sock")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.directory / "notify.sock"))
        self.said_ready = threading.Event()
        threading.Thread(target=self.hear, daemon=True).start()
        sandbox = (self.directory / "sandbox.toml").read_text()
        if cloudflared:
            binary = f'binary = "{self.directory}/cloudflared"'
            assert binary in sandbox
            sandbox = sandbox.replace(binary, f'binary = "{cloudflared(self.directory)}"')
        lines = [
            # Provisioning is not what is measured, and what answers on loopback has no limit.
            sandbox, 'budget = "1000/s"',
            "[daemon]", f'state_dir = "{self.directory}/state"', f'runtime_dir = "{self.directory}/run"',
            "[control]", f'socket = "{self.socket}"',
            "[metrics]", f'listen = "unix:{self.directory}/metrics.sock"', f"relay = {str(relay).lower()}",
            "[access]", f'admin = ["{os.getuid()}"]',
        ]
        for number in range(tunnels):
            # A local configuration without a record takes one call to provision, not three.
            dns = ", dns = false" if local else ""
            lines += [f"[tunnels.t{number}]", f"replicas = {replicas}"] + (['configuration = "local"'] if local else [])
            lines += [f'ingress = [{{ hostname = "{self.hostname(number)}", service = "http_status:200"{dns} }}]']
        (self.directory / "adit.toml").write_text("\n".join(lines) + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.daemon and self.daemon.poll() is None:
                self.terminate()
        finally:
            self.sandbox.terminate()
            self.sandbox.wait(30)
            self.temporary.cleanup()

    @staticmethod
    def hostname(number):
        return f"t{number}.example.com"

    def start(self):
        """Starts a daemon; seconds from just before that until it says that it is ready."""
        self.said_ready.clear()
        environment = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(self.directory / "notify.sock")}
        with open(self.directory / "daemon.log", "a") as log:
            begun = time.monotonic()
            self.daemon = subprocess.Popen([self.adit, "daemon", "--config", self.directory / "adit.toml"],
                                           env=environment, stderr=log, stdout=subprocess.DEVNULL)
        if not self.said_ready.wait(PATIENCE_S):
            raise SystemExit("the daemon never says that it is ready")
        return self.ready_at - begun

    def hear(self):
        """Hears whatever the daemon says, as systemd does."""
        while message := self.notify.recv(4096):
            if b"READY=1" in message:
                self.ready_at = time.monotonic()
                self.said_ready.set()

    def all_ready(self):
        """Waits until every connector is ready; seconds that took."""
        begun = time.monotonic()
        self.wait(lambda: len(self.pids("ready")) == self.tunnels * self.replicas, "every connector is ready")
        return time.monotonic() - begun

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def terminate(self):
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            raise SystemExit(f"the daemon does not stop within {STOP_S:.0f} s") from None

    def tell_sandbox(self, word):
        self.sandbox.stdin.write(word + "\n")
        self.sandbox.stdin.flush()

    def get(self, path):
        connection = UnixConnection(self.socket)
        connection.request("GET", path)
        answer = json.load(connection.getresponse())
        connection.close()
        return answer

    def scrape(self, *, zipped):
        """Takes the metrics as a scraper does: how many bytes they are, and the seconds that took."""
        connection = UnixConnection(str(self.directory / "metrics.sock"))
        begun = time.monotonic()
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"} if zipped else {})
        size = len(connection.getresponse().read())
        length = time.monotonic() - begun
        connection.close()
        return size, length

    def connectors(self):
        try:
            return [one for tunnel in self.get("/v1/tunnels") for one in tunnel["connectors"]]
        except OSError:
            return []

    def pids(self, state=None):
        """The process ids of the connectors, of those in one state if it is named."""
        return {one["pid"] for one in self.connectors() if one["pid"] and state in (None, one["state"])}

    def wait(self, condition, what, pause=0.002):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if self.daemon.poll() is not None:
                raise SystemExit(f"the daemon ended: {(self.directory / 'daemon.log').read_text()[-2000:]}")
            if time.monotonic() > deadline:
                raise SystemExit(f"not within {PATIENCE_S:.0f} s: {what}")
            time.sleep(pause)

    def serving(self):
        """The numbers of the tunnels whose visitors get an answer."""
        def visit(number):
            try:
                connection = http.client.HTTPConnection(*self.front, timeout=10)
                connection.request("GET", "/", headers={"Host": self.hostname(number)})
                return connection.getresponse().status == 200
            except OSError:
                return False
        with concurrent.futures.ThreadPoolExecutor(self.tunnels) as pool:
            return {number for number, answered in enumerate(pool.map(visit, range(self.tunnels))) if answered}

    def memory(self):
        """The daemon's memory in KiB: all of it, and what is its own."""
        text = Path(f"/proc/{self.daemon.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in text.splitlines())
        return int(fields["VmRSS"].split()[0]), int(fields["RssAnon"].split()[0])

    def usage(self):
        """The daemon's processor time in ns and how often its threads have slept, so far."""
        spent = woken = 0
        for task in Path(f"/proc/{self.daemon.pid}/task").iterdir():
            try:
                spent += int((task / "schedstat").read_text().split()[0])
                status = (task / "status").read_text().splitlines()
            except OSError:
                continue  # a thread that has just ended
            woken += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
        return spent, woken
