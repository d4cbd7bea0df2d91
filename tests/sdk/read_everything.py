#!/usr/bin/env python3
"""The official Python SDK reads every answer of the sandbox.

    read_everything.py DIRECTORY

DIRECTORY is that of a running `adit sandbox`. Every operation of tests/cloudflare-api.json is called through the SDK's typed methods, and
every answer has to be what the SDK's types say. It fails at the first one that is not, and when an operation was not called.
"""

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cloudflare import Cloudflare

from strict import Wrong, check, expect, operations, template_of

ROOT = Path(__file__).resolve().parents[2]
SECRET = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
PATIENCE_S = 20

# Operations that the SDK has no method for, with why.
NOT_IN_SDK: dict[str, str] = {}


class Reader:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.settings = tomllib.loads((self.directory / "sandbox.toml").read_text())
        self.base = self.settings["accounts"]["sandbox"]["api_base"]
        self.operations = operations(json.loads((ROOT / "tests/cloudflare-api.json").read_text()))
        self.called = set()
        self.cf = self.client("token")
        self.account = self.read("accounts", list(self.cf.accounts.list()))[0].id
        self.zones = {zone.name: zone for zone in self.read("zones", list(self.cf.zones.list()))}
        self.zone = self.zones["example.com"].id

    def client(self, token):
        http = httpx.Client(event_hooks={"response": [self.note]}, timeout=30)
        return Cloudflare(api_token=(self.directory / token).read_text().strip(), base_url=self.base, http_client=http, max_retries=0)

    def note(self, response):
        path = response.request.url.path.removeprefix(urlsplit(self.base).path)
        method = response.request.method
        template = template_of(path, {path for _, path in self.operations})
        if response.is_success and (method, template) in self.operations:
            self.called.add(self.operations[method, template])

    def read(self, where, value, **fields):
        if value is None:
            raise Wrong(f"{where}: there is no answer")
        check(value, where)
        return expect(value, where, **fields)

    def has(self, where, listed, id):
        found = [item for item in self.read(where, list(listed)) if item.id == id]
        if len(found) != 1:
            raise Wrong(f"{where}: {id} is {len(found)} times in the list")
        return found[0]


def tokens_accounts_zones(reader):
    cf, read = reader.cf, reader.read
    read("verify as a user", cf.user.tokens.verify(), id=..., status="active")
    owned = reader.client("account-token")
    read("verify as an account", owned.accounts.tokens.verify(account_id=reader.account), id=..., status="active")
    read("account", cf.accounts.get(account_id=reader.account), id=reader.account, name=..., type=...)
    zone = read("zone", cf.zones.get(zone_id=reader.zone), id=reader.zone, name="example.com", status="active")
    expect(zone.account, "the zone's account", id=reader.account)
    expect(zone.plan, "the zone's plan", legacy_id=...)


def tunnels(reader):
    cf, read, account = reader.cf, reader.read, reader.account
    api = cf.zero_trust.tunnels.cloudflared
    tunnel = read("create tunnel", api.create(account_id=account, name="web", config_src="cloudflare", tunnel_secret=SECRET),
                  id=..., name="web", status="inactive", account_tag=account, config_src="cloudflare", created_at=...)
    same = {"tunnel_id": tunnel.id, "account_id": account}
    reader.has("list tunnels", api.list(account_id=account, is_deleted=False), tunnel.id)
    read("get tunnel", api.get(**same), id=tunnel.id)
    read("edit tunnel", api.edit(**same, name="shop", tunnel_secret=SECRET), id=tunnel.id, name="shop")
    token = read("token", api.token.get(**same))
    read("management token", api.management.create(**same, resources=["logs"]))
    rules = [{"hostname": "app.example.com", "service": "http://localhost:1", "originRequest": {"noTLSVerify": True}},
             {"service": "http_status:404"}]
    written = read("put configuration", api.configurations.update(**same, config={"ingress": rules}), version=1, tunnel_id=tunnel.id)
    expect(written.config.ingress[0], "the rule", hostname="app.example.com", service="http://localhost:1")
    read("get configuration", api.configurations.get(**same), version=1, source="cloudflare", account_id=account)

    with connector(reader, token):
        client = until(lambda: next(iter(list(api.connections.get(**same))), None), "the connector is there")
        read("connections", [client])
        read("connector", api.connectors.get(client.id, **same), id=client.id, arch=..., version=..., run_at=..., conns=...)
        api.connections.delete(**same, client_id=client.id)
    until(lambda: not list(api.connections.get(**same)), "the connector is gone")
    gone = read("delete tunnel", api.delete(**same), id=tunnel.id, deleted_at=...)
    if not gone.deleted_at:
        raise Wrong("a deleted tunnel has the time of its deletion")
    return read("another tunnel", api.create(account_id=account, name="net", tunnel_secret=SECRET), id=...)


class connector:
    """A connector of the sandbox with this token, while the block lasts."""

    def __init__(self, reader, token):
        settings, folder = reader.settings["cloudflared"], reader.directory
        (folder / "connector-token").write_text(token)
        environment = {**settings["env"], "PATH": os.environ["PATH"], "HOME": str(folder)}
        self.process = subprocess.Popen(
            [settings["binary"], "tunnel", "--no-autoupdate", "run", "--token-file", str(folder / "connector-token")],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def until(look, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise Wrong(f"never: {what}")


def records(reader):
    api, read, zone = reader.cf.dns.records, reader.read, {"zone_id": reader.zone}
    body = {"type": "CNAME", "name": "a.example.com", "content": "b.example.com", "ttl": 1, "proxied": True}
    record = read("create record", api.create(**zone, **body, comment="ours"),
                  id=..., type="CNAME", name="a.example.com", content="b.example.com", proxied=True, ttl=1, comment="ours", created_on=...)
    reader.has("list records", api.list(**zone, type="CNAME", per_page=5000), record.id)
    read("get record", api.get(record.id, **zone), id=record.id)
    read("put record", api.update(record.id, **zone, **body), id=record.id)
    read("edit record", api.edit(record.id, **zone, **body | {"content": "c.example.com"}), id=record.id, content="c.example.com")
    done = read("batch", api.batch(
        **zone,
        patches=[{"id": record.id, "proxied": False}],
        puts=[{"id": record.id, **body, "proxied": False, "ttl": 300}],
        posts=[{"type": "TXT", "name": "t.example.com", "content": '"text"', "ttl": 60},
               {"type": "A", "name": "v.example.com", "content": "192.0.2.1", "ttl": 60},
               {"type": "CNAME", "name": "w.example.com", "content": "x.example.com", "ttl": 1, "proxied": True}],
    ), patches=..., puts=..., posts=...)
    if [item.type for item in done.posts] != ["TXT", "A", "CNAME"] or done.puts[0].ttl != 300:
        raise Wrong(f"batch: {done}")
    read("usage", reader.cf.dns.usage.zone.get(**zone), record_usage=4)
    read("delete records", api.batch(**zone, deletes=[{"id": item.id} for item in done.posts]), deletes=...)
    read("delete record", api.delete(record.id, **zone), id=record.id)


def load_balancing(reader):
    cf, read, account = reader.cf, reader.read, {"account_id": reader.account}
    monitors, pools, balancers, zone = cf.load_balancers.monitors, cf.load_balancers.pools, cf.load_balancers, {"zone_id": reader.zone}
    body = {"type": "https", "path": "/", "header": {"Host": ["www.example.com"]}, "interval": 60, "description": "ours"}
    monitor = read("create monitor", monitors.create(**account, **body), id=..., type="https", interval=60, description="ours")
    reader.has("list monitors", monitors.list(**account), monitor.id)
    read("get monitor", monitors.get(monitor.id, **account), id=monitor.id)
    read("put monitor", monitors.update(monitor.id, **account, **body), id=monitor.id)
    read("edit monitor", monitors.edit(monitor.id, **account, retries=1), id=monitor.id, retries=1)

    origin = {"name": "web", "address": "192.0.2.1", "enabled": True, "weight": 1, "header": {"Host": ["www.example.com"]}}
    body = {"name": "web", "origins": [origin], "monitor": monitor.id, "description": "ours"}
    pool = read("create pool", pools.create(**account, **body), id=..., name="web", monitor=monitor.id, enabled=True)
    expect(pool.origins[0], "the origin", name="web", address="192.0.2.1", weight=1)
    reader.has("list pools", pools.list(**account), pool.id)
    read("get pool", pools.get(pool.id, **account), id=pool.id)
    read("put pool", pools.update(pool.id, **account, **body), id=pool.id)
    read("edit pool", pools.edit(pool.id, **account, description="theirs"), id=pool.id, description="theirs")

    body = {"name": "www.example.com", "default_pools": [pool.id], "fallback_pool": pool.id, "proxied": True, "steering_policy": "off"}
    balancer = read("create balancer", balancers.create(**zone, **body), id=..., name="www.example.com", default_pools=[pool.id])
    reader.has("list balancers", balancers.list(**zone), balancer.id)
    read("get balancer", balancers.get(balancer.id, **zone), id=balancer.id, fallback_pool=pool.id)
    read("put balancer", balancers.update(balancer.id, **zone, **body), id=balancer.id)
    read("edit balancer", balancers.edit(balancer.id, **zone, enabled=False), id=balancer.id)
    read("delete balancer", balancers.delete(balancer.id, **zone), id=balancer.id)
    read("delete pool", pools.delete(pool.id, **account), id=pool.id)
    read("delete monitor", monitors.delete(monitor.id, **account), id=monitor.id)


def networks(reader, tunnel):
    api, read, account = reader.cf.zero_trust.networks, reader.read, {"account_id": reader.account}
    network = read("create network", api.virtual_networks.create(**account, name="lab", comment="ours"),
                   id=..., name="lab", comment="ours", is_default_network=False, created_at=...)
    reader.has("list networks", api.virtual_networks.list(**account), network.id)
    read("get network", api.virtual_networks.get(network.id, **account), id=network.id)
    read("edit network", api.virtual_networks.edit(network.id, **account, comment="theirs"), comment="theirs")

    body = {"network": "10.20.0.0/16", "tunnel_id": tunnel.id, "virtual_network_id": network.id, "comment": "ours"}
    route = read("create route", api.routes.create(**account, **body), id=..., network="10.20.0.0/16", tunnel_id=tunnel.id)
    reader.has("list routes", api.routes.list(**account, is_deleted=False), route.id)
    read("get route", api.routes.get(route.id, **account), id=route.id)
    read("edit route", api.routes.edit(route.id, **account, comment="theirs"), comment="theirs")
    read("resolve", api.routes.ips.get("10.20.3.4", **account, virtual_network_id=network.id), id=route.id)
    read("delete route", api.routes.delete(route.id, **account), id=route.id)
    read("delete network", api.virtual_networks.delete(network.id, **account), id=network.id)

    route = read("create hostname route", api.hostname_routes.create(**account, hostname="db.internal", tunnel_id=tunnel.id, comment="ours"),
                 id=..., hostname="db.internal", tunnel_id=tunnel.id, comment="ours")
    reader.has("list hostname routes", api.hostname_routes.list(**account), route.id)
    read("get hostname route", api.hostname_routes.get(route.id, **account), id=route.id)
    read("edit hostname route", api.hostname_routes.edit(route.id, **account, comment="theirs"), comment="theirs")
    read("delete hostname route", api.hostname_routes.delete(route.id, **account), id=route.id)


def access(reader):
    api, read, account = reader.cf.zero_trust.access, reader.read, {"account_id": reader.account}
    body = {"name": "us", "decision": "allow", "include": [{"email_domain": {"domain": "example.com"}}]}
    policy = read("create policy", api.policies.create(**account, **body), id=..., name="us", decision="allow", include=...)
    reader.has("list policies", api.policies.list(**account), policy.id)
    read("get policy", api.policies.get(policy.id, **account), id=policy.id)
    read("put policy", api.policies.update(policy.id, **account, **body), id=policy.id)

    body = {"type": "self_hosted", "domain": "a.example.com", "name": "a", "policies": [{"id": policy.id, "precedence": 1}]}
    app = read("create app", api.applications.create(**account, **body), id=..., aud=..., domain="a.example.com", type="self_hosted")
    reader.has("list apps", api.applications.list(**account), app.id)
    read("get app", api.applications.get(app.id, **account), id=app.id)
    read("put app", api.applications.update(app.id, **account, **body), id=app.id)
    read("delete app", api.applications.delete(app.id, **account), id=app.id)
    read("delete policy", api.policies.delete(policy.id, **account), id=policy.id)


def main():
    reader = Reader(sys.argv[1])
    tokens_accounts_zones(reader)
    tunnel = tunnels(reader)
    records(reader)
    load_balancing(reader)
    networks(reader, tunnel)
    access(reader)
    every = set(reader.operations.values())
    missing = every - reader.called - set(NOT_IN_SDK)
    stale = set(NOT_IN_SDK) & reader.called
    if missing or stale or set(NOT_IN_SDK) - every:
        raise Wrong(f"not called: {sorted(missing)}; listed as not in the SDK, and wrongly: {sorted(stale)}")
    print(f"the SDK read {len(reader.called)} of {len(every)} operations; not in it: {len(NOT_IN_SDK)}")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"the SDK cannot read the sandbox: {wrong}")
