"""What is kept of each call that Schemathesis makes, and the one thing that it may not do: start many processes."""

import json
import os

import schemathesis

CALLS = os.environ["CALLS"]


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body if isinstance(case.body, dict) else {}
    definition = body.get("definition", body)
    if isinstance(definition, dict) and type(definition.get("replicas")) is int and definition["replicas"] in range(2, 26):
        definition["replicas"] = 1


@schemathesis.hook
def after_call(context, case, response):
    with open(CALLS, "a") as calls:
        calls.write(json.dumps([case.operation.definition.raw["operationId"], response.status_code]) + "\n")
