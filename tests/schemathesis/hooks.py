"""What is kept of each call that Schemathesis makes, and what it may not do: start many processes, and always be turned away at the door."""

import itertools
import json
import os

import schemathesis

CALLS = os.environ["CALLS"]
EDITS = ["replaceTunnel", "patchTunnel", "addRoute", "removeRoute"]
TURN = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body if isinstance(case.body, dict) else {}
    definition = body.get("definition", body)
    if isinstance(definition, dict) and type(definition.get("replicas")) is int and definition["replicas"] in range(2, 26):
        definition["replicas"] = 1
    operation = case.operation.definition.raw["operationId"]
    # What the others are asked of stays.
    if operation in ["deleteTunnel", "forgetTunnel"] and case.path_parameters.get("name") == "made":
        case.path_parameters["name"] = "spare-1"
    # Of a name or a tag that chance wrote, no edit is ever more than looked up: three of four are of what is there.
    if operation in EDITS and next(TURN) % 4:
        if case.meta is None or case.meta.generation.mode.is_positive:
            case.path_parameters["name"] = "made"
        for tag in [header for header in case.headers if header.lower() in ("if-match", "if-none-match")]:
            del case.headers[tag]


@schemathesis.hook
def after_call(context, case, response):
    with open(CALLS, "a") as calls:
        calls.write(json.dumps([case.operation.definition.raw["operationId"], response.status_code]) + "\n")
