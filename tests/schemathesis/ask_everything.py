#!/usr/bin/env python3
"""Schemathesis asks a daemon everything that its own description says, in every way that it can think of.

    ask_everything.py ADIT DIRECTORY

DIRECTORY is that of a running `adit sandbox`. It fails at an answer that the description does not have, at a server error, at accepted
nonsense, and when an operation never succeeded.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import schemathesis
from openapi_spec_validator import validate

from host import TUNNELS, Host, until
from relay import Relay

HERE = Path(__file__).resolve().parent
SECRET = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
RULE = {"hostname": "new.example.com", "service": "http_status:204"}

# Operations that need what only a whole other machine has, with why. Filled in where machines have no id.
EXCUSED = {}


class Asker:
    def __init__(self, host, url, document):
        self.host, self.url = host, url
        self.operations = {}
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            self.operations[operation.definition.raw["operationId"]] = operation
        self.statuses = {operation: Counter() for operation in self.operations}

    def ask(self, operation, body=None, query=None, headers=None, status=200, **path):
        """Asks one thing; the answer has to be as described. Gives it as JSON."""
        given = {} if body is None else {"body": body, "media_type": "application/json"}
        case = self.operations[operation].Case(path_parameters=path, query=query or {}, headers=headers or {}, **given)
        answer = case.call_and_validate(base_url=self.url)
        if answer.status_code != status:
            raise SystemExit(f"{operation}: {answer.status_code} instead of {status}: {answer.text}")
        self.statuses[operation][answer.status_code] += 1
        return answer.json() if answer.content and "json" in answer.headers["content-type"][0] else answer

    def read(self):
        for operation in ["whoAmI", "getVersion", "getHealth", "getStatus", "listTunnels", "listRoutes", "getPlan", "getConfiguration",
                          "listCredentials", "getIdentity", "listOrphans", "readEvents", "readAudit", "getTraffic",
                          "listOperations", "runDoctor"]:
            self.ask(operation)
        self.ask("getTunnel", name="web")
        self.ask("planRestart", name="shop")
        self.ask("diagnoseHostname", query={"hostname": "app.example.com"})
        self.ask("readLogs", name="web")
        self.ask("readLogs", name="web", query={"follow": "true", "lines": "5"})
        self.ask("readEvents", query={"follow": "true", "since": "0"})
        self.ask("getOpenApi")
        tag = self.operations["getOpenApi"].Case().call(base_url=self.url).headers["etag"][0]
        self.ask("getOpenApi", headers={"If-None-Match": tag}, status=304)

    def change(self):
        for name in ["made", "spare-1", "spare-2"]:
            self.ask("createTunnel", body={"name": name, "definition": {"ingress": []}}, status=201)
        self.ask("createTunnel", body={"name": "made", "definition": {"ingress": []}}, status=200)
        self.ask("replaceTunnel", name="made", body={"ingress": [RULE]})
        self.ask("patchTunnel", name="made", body={"protocol": "http2"})
        self.ask("addRoute", name="made", body={"hostname": "more.example.com", "service": "http_status:204"})
        self.ask("removeRoute", name="made", query={"hostname": "more.example.com"})
        self.host.until_ready("made")
        self.ask("stopTunnel", name="made")
        going_on = self.ask("startTunnel", name="made", headers={"Prefer": "respond-async"}, status=202)
        self.ask("getOperation", id=going_on["id"], query={"wait": "30s"})
        self.ask("restartTunnel", name="shop")
        self.ask("applyPlan", body={})
        self.ask("reloadConfiguration")
        self.ask("checkCredentials")
        self.ask("checkOrigins", body={"services": ["http://127.0.0.1:1", "http_status:204"]})
        self.ask("rotateTunnel", name="web", body={})

    def take(self):
        """What changes hands, and what is destroyed."""
        for name in ["web", "shop"]:
            # Chance may have stopped it.
            self.ask("startTunnel", name=name)
        self.host.until_ready("web", "shop")
        account = self.host.cloudflare("GET", "/accounts")[0]["id"]
        zone = next(zone["id"] for zone in self.host.cloudflare("GET", "/zones") if zone["name"] == "example.com")
        foreign = {"name": "theirs", "config_src": "cloudflare", "tunnel_secret": SECRET}
        foreign = self.host.cloudflare("POST", f"/accounts/{account}/cfd_tunnel", foreign)
        shown = self.ask("lookAtTunnel", name="theirs", query={"id": foreign["id"], "from_cloudflare": "true"})
        self.ask("adoptTunnel", name="theirs", body={"id": foreign["id"], "from_cloudflare": True, "hash": shown["hash"]})
        self.ask("forgetTunnel", name="theirs")

        record = {"type": "A", "name": "held.example.com", "content": "192.0.2.7", "proxied": True, "ttl": 1}
        self.host.cloudflare("POST", f"/zones/{zone}/dns_records", record)
        held = {"ingress": [{"hostname": "held.example.com", "service": "http_status:204"}]}
        self.ask("createTunnel", body={"name": "held", "definition": held}, status=201)
        self.host.until_ready("held")
        shown = self.ask("lookAtRoute", query={"hostname": "held.example.com"})
        self.ask("adoptRoute", body={"hostname": "held.example.com", "hash": shown["hash"]})
        self.ask("deleteTunnel", name="held")

        self.host.configure(TUNNELS)
        self.ask("reloadConfiguration")
        left = self.ask_until("listOrphans", lambda orphans: any(not orphan.get("kept") for orphan in orphans["orphans"]))
        self.ask("deleteOrphans", body={"hash": left["hash"]})

    def ask_until(self, operation, is_so):
        answers = []

        def asked():
            answers.append(self.ask(operation))
            return is_so(answers[-1])

        until(operation, asked)
        return answers[-1]

    def move(self):
        """The state goes to another machine, which goes on with it, and to one more, which does not."""
        for operation in ["takeOverIdentity", "newIdentity"]:
            self.host.stop()
            if not self.host.come_from_another_machine():
                EXCUSED[operation] = "this machine has no id"
            self.host.start()
            self.ask(operation, status=409 if operation in EXCUSED else 200)

    def fuzz(self, directory):
        calls = directory / "calls"
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "CALLS": str(calls)}
        # From a file: of a document that is served it leaves out the operation that serves it.
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", str(HERE / "schemathesis.toml"), "run",
                   str(directory / "openapi.json"), "--url", self.url, "--no-color"]
        outcome = subprocess.run(command, env=environment, cwd=directory, stdin=subprocess.DEVNULL)
        for line in calls.read_text().splitlines():
            operation, status = json.loads(line)
            self.statuses[operation][status] += 1
        if outcome.returncode != 0:
            raise SystemExit(f"Schemathesis found something: it ended with {outcome.returncode}")


def main():
    adit, directory = sys.argv[1], Path(sys.argv[2])
    host = Host(adit, directory)
    try:
        host.start()
        host.until_ready("web", "shop", "gone")
        offline = subprocess.run([adit, "api", "schema"], capture_output=True, check=True).stdout
        document = json.loads(offline)
        if document != host.ask("GET", "/v1/openapi.json")[1]:
            raise SystemExit("\"adit api schema\" prints another document than the daemon serves")
        validate(document)
        (directory / "openapi.json").write_bytes(offline)
        relay = Relay(host.socket)
        asker = Asker(host, relay.url, document)
        asker.read()
        asker.change()
        asker.fuzz(directory)
        asker.take()
        asker.move()
        relay.close()
    finally:
        host.stop()
    total = Counter()
    for operation, statuses in sorted(asker.statuses.items()):
        total += statuses
        print(f"{operation:24}", "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items())))
    print(f"{sum(total.values())} calls of {len(asker.statuses)} operations:", dict(sorted(total.items())))
    never = [name for name, statuses in asker.statuses.items() if not any(200 <= status < 300 for status in statuses)]
    if missing := [name for name in never if name not in EXCUSED]:
        raise SystemExit(f"never answered with success: {', '.join(missing)}")


if __name__ == "__main__":
    main()
