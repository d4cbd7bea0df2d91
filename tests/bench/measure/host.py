"""A sandbox and a daemon in a folder of their own."""

import concurrent.futures
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

from measure import client
from measure.folder import Folder

# Until anything comes true.
PATIENCE_S = 120.0
# Until visitors are served again, where the back-off of stock cloudflared is up to 352 s, and until a pass is made that is limited.
LONG_PATIENCE_S = 400.0
# Grace period and margin, and some more.
STOP_S = 60.0
# What the daemon's histogram of passes is called.
PASSES = "adit_reconcile_duration_seconds"
# A connector that has been ready for 30 s is restarted at once; one that dies earlier waits for its back-off.
STABLE_S = 31.0
# Between two looks at connectors that are awaited, for each: looking at a thousand is work for the daemon.
LOOK_S = 0.0001


class Host:
    """So many tunnels with so many connectors each. Provisioning has no rate limit to wait for unless it is `limited`."""

    def __init__(self, adit, tunnels, replicas=1, *, local=False, limited=False, cloudflared=None, sync_interval_s=60):
        self.adit, self.tunnels, self.replicas = adit, tunnels, replicas
        self.local, self.limited, self.cloudflared, self.sync_interval_s = local, limited, cloudflared, sync_interval_s
        self.daemon = None

    def __enter__(self):
        with ExitStack() as stack:
            self.folder = stack.enter_context(Folder())
            self.socket = str(self.folder / "adit.sock")
            self.metrics = str(self.folder / "metrics.sock")
            self.start_sandbox()
            stack.callback(self.end)
            self.listen_to_daemon()
            self.configure()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start_sandbox(self):
        command = [self.adit, "sandbox", "--directory", self.folder]
        self.sandbox = subprocess.Popen(command + ([] if self.limited else ["--no-rate-limit"]), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        front = self.sandbox.stdout.readline().split("//")[1].strip()  # the line says that it is ready, too
        self.front = (front.split(":")[0], int(front.split(":")[1]))
        self.sandbox_configuration = (self.folder / "sandbox.toml").read_text()
        if self.cloudflared:
            binary = f'binary = "{self.folder}/cloudflared"'
            assert binary in self.sandbox_configuration
            replaced = f'binary = "{self.cloudflared(self.folder)}"'
            self.sandbox_configuration = self.sandbox_configuration.replace(binary, replaced)

    def listen_to_daemon(self):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify.sock"))
        self.said_ready = threading.Event()
        threading.Thread(target=self.hear, daemon=True).start()

    def end(self):
        """No grace for anybody: what is left ends with the folder."""
        self.notify.shutdown(socket.SHUT_RDWR)  # which ends the listening
        for process in filter(None, (self.daemon, self.sandbox)):
            process.kill()
            process.wait()

    def configure(self, *, tunnels=None, relay=False):
        """Writes the configuration."""
        lines = [
            self.sandbox_configuration,
            "" if self.limited else 'budget = "100000/s"',
            "[daemon]", f'state_dir = "{self.folder}/state"', f'runtime_dir = "{self.folder}/run"',
            f'sync_interval = "{self.sync_interval_s}s"',
            "[control]", f'socket = "{self.socket}"',
            "[metrics]", f'listen = "unix:{self.metrics}"', f"relay = {str(relay).lower()}",
            "[access]", f'admin = ["{os.getuid()}"]',
        ]
        for number in range(self.tunnels if tunnels is None else tunnels):
            # A local configuration without a record takes one call to provision, not two.
            dns = ", dns = false" if self.local else ""
            lines += [f"[tunnels.t{number}]", f"replicas = {self.replicas}"]
            lines += ['configuration = "local"'] if self.local else []
            lines += [f'ingress = [{{ hostname = "{self.hostname(number)}", service = "http_status:200"{dns} }}]']
        (self.folder / "adit.toml").write_text("\n".join(lines) + "\n")

    @staticmethod
    def hostname(number):
        return f"t{number}.example.com"

    def start(self):
        """Starts a daemon; seconds from just before that until it says that it is ready."""
        self.said_ready.clear()
        environment = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(self.folder / "notify.sock")}
        with open(self.folder / "daemon.log", "a") as log:
            begun = time.monotonic()
            self.daemon = subprocess.Popen([self.adit, "daemon", "--config", self.folder / "adit.toml"], env=environment,
                                           stderr=log, stdout=subprocess.DEVNULL, start_new_session=True)
        self.wait(self.said_ready.is_set, "the daemon says that it is ready", pause=0.001)
        return self.ready_at - begun

    def hear(self):
        """Hears whatever the daemon says, as systemd does."""
        while message := self.notify.recv(4096):
            if b"READY=1" in message:
                self.ready_at = time.monotonic()
                self.said_ready.set()

    def is_running(self):
        return self.daemon is not None and self.daemon.poll() is None

    def all_ready(self):
        """Waits until every connector is ready; seconds that took."""
        begun, wanted = time.monotonic(), self.tunnels * self.replicas
        pause = max(0.002, wanted * LOOK_S)
        self.wait(lambda: len(self.pids("ready")) == wanted, "every connector is ready", pause)
        return time.monotonic() - begun

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop(self):
        """Stops the daemon and with it every connector; seconds that took."""
        begun = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(STOP_S)
        return time.monotonic() - begun

    def run(self, *arguments):
        """Runs a client to its end; what it told."""
        done = subprocess.run([self.adit, "--socket", self.socket, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"adit {' '.join(arguments)} ends with {done.returncode}: {(done.stdout + done.stderr)[-1000:]}")
        return done.stdout + done.stderr

    def tell_sandbox(self, word):
        self.sandbox.stdin.write(word + "\n")
        self.sandbox.stdin.flush()

    def get(self, path):
        return client.ask_json(self.socket, "GET", path)

    def counters(self):
        """The sums of the metrics, by name."""
        return client.sums(client.ask(self.metrics, "GET", "/metrics"))

    def counters_after_passes(self, count):
        """The same, once the account has been read and put right so often."""
        pause = max(0.05, self.tunnels * LOOK_S)
        self.wait(lambda: self.counters().get(f"{PASSES}_count", 0) >= count, "a pass is made", pause, LONG_PATIENCE_S)
        return self.counters()

    def connectors(self):
        try:
            return [one for tunnel in self.get("/v1/tunnels") for one in tunnel["connectors"]]
        except OSError:
            return []

    def pids(self, state=None):
        """The process ids of the connectors, of those in one state if it is named."""
        return {one["pid"] for one in self.connectors() if one["pid"] and state in (None, one["state"])}

    def wait(self, condition, what, pause=0.002, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while not condition():
            if self.daemon.poll() is not None:
                raise RuntimeError(f"the daemon ended: {(self.folder / 'daemon.log').read_text()[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {patience_s:.0f} s: {what}")
            time.sleep(pause)

    def serving(self):
        """The numbers of the tunnels whose visitors get an answer."""
        def visit(number):
            connection = http.client.HTTPConnection(*self.front, timeout=10)
            try:
                connection.request("GET", "/", headers={"Host": self.hostname(number)})
                return connection.getresponse().status == 200
            except OSError:
                return False
            finally:
                connection.close()
        with concurrent.futures.ThreadPoolExecutor(self.tunnels) as pool:
            return {number for number, answered in enumerate(pool.map(visit, range(self.tunnels))) if answered}

    def wait_until_all_serve(self):
        """Seconds until the visitors of every tunnel get an answer."""
        begun = time.monotonic()
        self.wait(lambda: len(self.serving()) == self.tunnels, "every tunnel serves", 0.02, LONG_PATIENCE_S)
        return time.monotonic() - begun


def api_calls(counters):
    return counters.get("adit_cloudflare_api_requests_total", 0)
