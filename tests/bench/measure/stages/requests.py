"""How fast a daemon answers over its sockets."""

import subprocess
import time

from measure import process
from measure.load import CLIENTS, Load
from measure.samples import Samples

FIRST_OUTPUTS = 30
ALONE_PERIOD_MS = 20
SCRAPE_PERIOD_MS = 50
GZIP = "Accept-Encoding: gzip"


def requests(host, pace, found):
    load = Load(host.folder)
    alone = {"seconds": pace.alone_s, "period_ms": ALONE_PERIOD_MS}
    polled = {"seconds": pace.requests_s, "clients": CLIENTS, "period_ms": 1000}
    for name in ("tunnels", "version"):
        path = f"/v1/{name}"
        found[f"{name}_alone"] = load.ask(host.socket, path, **alone).taken
        found[f"{name}_polled"] = load.ask(host.socket, path, **polled).taken
    hammered = load.ask(host.socket, "/v1/tunnels", seconds=pace.alone_s, clients=CLIENTS)
    found["tunnels_hammered"], found["tunnels_bytes"] = hammered.taken, hammered.size / 1024
    found["status"] = Samples.of([first_output(host) for _ in range(FIRST_OUTPUTS)])


def first_output(host):
    """Seconds from the start of `adit status` until the first byte of what it shows."""
    begun = time.monotonic()
    with subprocess.Popen([host.adit, "--socket", host.socket, "status"], stdout=subprocess.PIPE) as status:
        status.stdout.read(1)
        taken = time.monotonic() - begun
        status.stdout.read()
    return taken


def scrapes(host, pace, found):
    load = Load(host.folder)
    alone = {"seconds": pace.alone_s, "period_ms": SCRAPE_PERIOD_MS}
    own = load.ask(host.metrics, "/metrics", **alone)
    found["scrape"], found["scrape_bytes"] = own.taken, own.size / 1024
    found["scrape_gzip"] = load.ask(host.metrics, "/metrics", **alone, header=GZIP).taken
    found["anonymous_asked"] = process.memory(host.daemon.pid)["anonymous"]
    host.configure(relay=True)
    host.run("config", "reload")
    relayed = load.ask(host.metrics, "/metrics", seconds=pace.requests_s)
    found["scrape_relay"], found["scrape_relay_bytes"] = relayed.taken, relayed.size / 1024
    found["anonymous_relayed"] = process.memory(host.daemon.pid)["anonymous"]
