#!/usr/bin/env python3
"""The official Python client uses everything that `adit mcp` offers.

    use_everything.py ADIT SOCKET TOKEN

ADIT is the program, SOCKET that of a running daemon with the tunnel web, and TOKEN the file with its API token. Every tool is called,
every resource read and something changed in two steps, over the handshake of older clients and over that of the newest version of the
protocol. The library checks every answer against the schema of its tool. It fails at the first thing that is not as it should be.
"""

import asyncio
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from mcp import Client, MCPError, StdioServerParameters

PATIENCE_S = 20
READS = ["diagnose", "events", "list_routes", "list_tunnels", "plan", "show_tunnel", "status"]
TOOLS = READS + ["logs", "apply", "start_tunnel", "stop_tunnel", "restart_tunnel"]
TOOLS += ["create_tunnel", "update_tunnel", "delete_tunnel", "add_route", "remove_route"]


class Wrong(Exception):
    pass


def expect(holds, what, value):
    if not holds:
        raise Wrong(f"{what}: {value}")


class User:
    """Somebody who calls tools and keeps all that was told."""

    def __init__(self, client, secret):
        self.client = client
        self.secret = secret
        self.called = set()

    def hear(self, where, answer):
        expect(self.secret not in str(answer), where, "the API token is told")

    async def call(self, tool, **arguments):
        result = await self.client.call_tool(tool, arguments)
        self.hear(tool, result)
        expect(not result.is_error, tool, result.content)
        expect(result.structured_content["untrusted"] is True, tool, "it is not marked")
        self.called.add(tool)
        return result.structured_content

    async def refused(self, kind, tool, **arguments):
        result = await self.client.call_tool(tool, arguments)
        self.hear(tool, result)
        expect(result.is_error, tool, "it is not refused")
        error = json.loads(result.content[1].text)["error"]
        expect(error["kind"] == kind, tool, error)
        return error

    async def change(self, tool, **arguments):
        """Both steps of a change."""
        shown = await self.call(tool, **arguments)
        expect(shown["step"] == "planned", tool, shown)
        done = await self.call(tool, **arguments, plan_hash=shown["plan_hash"])
        expect(done["step"] == "accepted", tool, done)
        return shown

    async def until_settled(self, tunnel, state="ready"):
        for _ in range(PATIENCE_S * 20):
            shown = (await self.call("show_tunnel", tunnel=tunnel))["tunnel"]
            if shown["settled"] and shown["state"] == state:
                return
            await asyncio.sleep(0.05)
        raise Wrong(f"{tunnel} does not get {state}: {shown}")


async def described(user):
    listed = (await user.client.list_tools()).tools
    expect(sorted(tool.name for tool in listed) == sorted(TOOLS), "tools", [tool.name for tool in listed])
    for tool in listed:
        for schema in (tool.input_schema, tool.output_schema):
            Draft202012Validator.check_schema(schema)
            expect(schema["type"] == "object", tool.name, schema)
        expect(tool.input_schema["additionalProperties"] is False, tool.name, tool.input_schema)
        expect(tool.annotations.read_only_hint == (tool.name in READS + ["logs"]), tool.name, tool.annotations)
    expect("untrusted" in user.client.instructions, "instructions", user.client.instructions)


async def looks(user):
    status = await user.call("status")
    expect(status["tunnels"] == 1, "status", status)
    tunnels = await user.call("list_tunnels", limit=10, pattern="w*")
    expect([tunnel["name"] for tunnel in tunnels["tunnels"]] == ["web"], "list_tunnels", tunnels)
    await user.call("show_tunnel", tunnel="web")
    await user.call("list_routes", tunnel="web")
    diagnosis = await user.call("diagnose", hostname="app.example.com")
    expect(diagnosis["tunnel"] == "web", "diagnose", diagnosis)
    await user.call("events", limit=500)
    lines = await user.call("logs", tunnel="web", lines=500)
    expect(len(lines["lines"]) > 3, "logs", lines)
    plan = await user.call("plan")
    applied = await user.call("apply", plan_hash=plan["plan_hash"])
    expect(applied["hash"] == plan["plan_hash"], "apply", applied)


async def changes(user):
    rule = {"hostname": "shop.example.com", "service": "http_status:200"}
    await user.change("create_tunnel", tunnel="shop", definition={"ingress": [rule]})
    await user.until_settled("shop")
    shown = await user.change("update_tunnel", tunnel="shop", patch={"replicas": 2})
    expect(shown["after"]["replicas"] == 2, "update_tunnel", shown)
    await user.until_settled("shop")
    await user.change("add_route", tunnel="shop", hostname="cart.example.com", service="http_status:200")
    await user.change("remove_route", tunnel="shop", hostname="cart.example.com")
    shown = await user.change("restart_tunnel", tunnel="shop")
    expect(len(shown["connectors"]) == 2, "restart_tunnel", shown)
    await user.change("stop_tunnel", tunnel="shop")
    await user.until_settled("shop", "stopped")
    await user.change("start_tunnel", tunnel="shop")
    await user.until_settled("shop")

    # What was shown is not done when something changed since.
    shown = await user.call("update_tunnel", tunnel="shop", patch={"on_drift": "report"})
    await user.change("update_tunnel", tunnel="shop", patch={"replicas": 1})
    await user.refused("conflict", "update_tunnel", tunnel="shop", patch={"on_drift": "report"}, plan_hash=shown["plan_hash"])
    await user.change("delete_tunnel", tunnel="shop")


async def refusals(user):
    await user.refused("read_only", "update_tunnel", tunnel="web", patch={"replicas": 2})
    await user.refused("not_found", "show_tunnel", tunnel="nobody")
    await user.refused("conflict", "apply", plan_hash="0123")
    error = await user.refused("invalid", "logs", tunnel="web", lines=0)
    expect(error["details"][0]["at"] == "lines", "logs", error)
    try:
        await user.client.call_tool("no_such_tool", {})
    except MCPError as error:
        expect("no_such_tool" in str(error), "an unknown tool", error)
    else:
        raise Wrong("an unknown tool is called")


async def resources(user):
    listed = [resource.uri for resource in (await user.client.list_resources()).resources]
    expect("adit://tunnels/web" in listed, "resources", listed)
    templates = [template.uri_template for template in (await user.client.list_resource_templates()).resource_templates]
    for uri in sorted(set(listed) | {template.replace("{name}", "web") for template in templates}):
        read = await user.client.read_resource(uri)
        user.hear(uri, read)
        expect(json.loads(read.contents[0].text)["untrusted"] is True, uri, read)
    for prompt in (await user.client.list_prompts()).prompts:
        await user.client.get_prompt(prompt.name, {"hostname": "app.example.com"})


async def told_of_changes(user):
    """The newest version's way to be told: one request that listens."""
    async with user.client.listen(resource_subscriptions=["adit://tunnels/web", "adit://tunnels/web/logs"]) as told:
        expect(told.honored.resource_subscriptions == ["adit://tunnels/web"], "listen", told.honored)

        async def restart_again_and_again():
            # When the daemon is followed is not told.
            while True:
                await user.change("restart_tunnel", tunnel="web")
                await user.until_settled("web")

        restarting = asyncio.create_task(restart_again_and_again())
        try:
            async with asyncio.timeout(PATIENCE_S):
                event = await anext(aiter(told))
        finally:
            restarting.cancel()
        expect(event.uri == "adit://tunnels/web", "listen", event)


async def use(adit, socket, secret, mode):
    def server(*arguments):
        return StdioServerParameters(command=adit, args=["--socket", socket, "mcp", *arguments])

    async with Client(server("--role", "admin"), mode=mode, read_timeout_seconds=PATIENCE_S) as client:
        user = User(client, secret)
        for part in (described, looks, changes, refusals, resources):
            await part(user)
        expect(sorted(user.called) == sorted(TOOLS), "tools that nobody called", set(TOOLS) - user.called)
        if mode == "auto":
            await told_of_changes(user)
        print(f"{client.protocol_version}: {len(user.called)} tools called, every answer as its schema says")

    async with Client(server(), mode=mode, read_timeout_seconds=PATIENCE_S) as client:
        viewer = User(client, secret)
        listed = sorted(tool.name for tool in (await client.list_tools()).tools)
        expect(listed == READS, "what a viewer is offered", listed)
        error = await viewer.refused("not_permitted", "stop_tunnel", tunnel="web")
        expect("--role operator" in error["hint"], "stop_tunnel", error)


async def main(adit, socket, token):
    secret = Path(token).read_text().strip()
    expect(len(secret) > 20, "the API token", "it is too short to look for")
    for mode in ("legacy", "auto"):
        await use(adit, socket, secret, mode)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
