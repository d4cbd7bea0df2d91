"""A daemon on the sandbox, with everything that a request can be about."""

import http.client
import json
import os
import socket
import subprocess
import time
import tomllib
import urllib.request
from pathlib import Path

PATIENCE_S = 30

TUNNELS = """
[tunnels.web]
ingress = [
    { hostname = "app.example.com", service = "http_status:204" },
    { hostname = "*.dev.example.com", path = "/api", service = "http_status:204", dns = false },
]
[tunnels.shop]
replicas = 2
ingress = [{ hostname = "shop.example.com", service = "http_status:204" }]
private_networks = [{ network = "10.20.0.0/16" }]
"""

# Leaves the configuration later, so that something is left over.
GONE = """
[tunnels.gone]
ingress = [{ hostname = "gone.example.com", service = "http_status:204" }]
"""


class Host:
    def __init__(self, adit, directory):
        self.adit, self.directory = adit, Path(directory)
        self.socket = self.directory / "adit.sock"
        self.account = tomllib.loads((self.directory / "sandbox.toml").read_text())["accounts"]["sandbox"]
        self.daemon = None
        self.configure(TUNNELS + GONE)

    def configure(self, tunnels):
        sandbox = (self.directory / "sandbox.toml").read_text()
        # The sandbox takes more than Cloudflare does, and nobody is to wait for it.
        text = sandbox.replace("[accounts.sandbox]", '[accounts.sandbox]\nbudget = "1000/s"') + f"""
[daemon]
state_dir = "{self.directory}/state"
runtime_dir = "{self.directory}/run"
[control]
socket = "{self.socket}"
[metrics]
listen = "unix:{self.directory}/metrics.sock"
[access]
admin = ["{os.getuid()}"]
""" + tunnels
        (self.directory / "adit.toml").write_text(text)

    def start(self):
        log = (self.directory / "daemon.log").open("a")
        command = [self.adit, "daemon", "--config", str(self.directory / "adit.toml")]
        self.daemon = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        until("the daemon answers", lambda: self.ask("GET", "/v1/version")[0] == 200)

    def stop(self):
        if self.daemon is None:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            raise
        self.daemon = None

    def ask(self, method, path, body=None):
        """Asks without any check: status and JSON."""
        connection = Connection(self.socket)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None
        finally:
            connection.close()

    def until_ready(self, *names):
        def ready():
            status, tunnels = self.ask("GET", "/v1/tunnels")
            states = {tunnel["name"]: tunnel["state"] for tunnel in tunnels or []}
            return status == 200 and all(states.get(name) == "ready" for name in names)

        until(f"{', '.join(names)}: ready", ready)

    def cloudflare(self, method, path, body=None):
        """Somebody else changes the account."""
        request = urllib.request.Request(self.account["api_base"] + path, method=method)
        token = Path(self.account["api_token"]["file"]).read_text().strip()
        request.add_header("authorization", f"Bearer {token}")
        request.add_header("content-type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data) as answer:
            return json.load(answer)["result"]

    def come_from_another_machine(self):
        """The state is that of another machine from the next start on. False where machines have no id."""
        file = self.directory / "state" / "install.toml"
        lines = file.read_text().splitlines()
        foreign = ['machine = "' + "0" * 32 + '"' if line.startswith("machine = ") else line for line in lines]
        file.write_text("\n".join(foreign) + "\n")
        return foreign != lines


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_S * 2)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def until(what, is_true):
    end = time.monotonic() + PATIENCE_S
    while not is_true():
        if time.monotonic() > end:
            raise SystemExit(f"not in time: {what}")
        time.sleep(0.05)
