"""Whether an answer is what the SDK's types say, down to the last field. The SDK itself takes whatever comes."""

import typing

from pydantic import BaseModel, TypeAdapter, ValidationError


# Fields that the SDK says are always there, and are not: by their place in an answer, with why. Numbers in a place are left out.
KNOWN_MISSING = {
    ("config", "ingress", "hostname"): "the rule for everything else has none, in every sample of Cloudflare's own documentation",
}

# Fields that Cloudflare sends although its schema lacks them, by the SDK's type, with why.
KNOWN_EXTRA = {
    ("Config", "warp-routing"): "deprecated and read-only, and still in every stored configuration",
    ("CloudflareTunnel", "token"): "in the answer to a creation, as in Cloudflare's documentation (Create a tunnel)",
    ("CloudflareTunnel", "credentials_file"): "beside the token",
    ("SelfHostedApplication", "created_at"): "in the schema of 2024 and in the contract here; the SDK's type has lost it",
    ("SelfHostedApplication", "updated_at"): "beside it",
}


class Wrong(Exception):
    """An answer that is not as it should be."""


def check(value, where):
    """Fails when a field has another type than the SDK says, or one is there that the SDK does not know."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, f"{where}[{index}]")
    elif isinstance(value, BaseModel):
        name = type(value).__name__
        # The SDK counts a field under its name in JSON as unknown, beside the one under its name in Python.
        aliases = {field.alias for field in type(value).model_fields.values()}
        unknown = [field for field in value.model_extra or {} if field not in aliases and (name, field) not in KNOWN_EXTRA]
        if unknown:
            raise Wrong(f"{where}: {name} has no field {', '.join(sorted(unknown))}")
        try:
            TypeAdapter(type(value)).validate_python(value.to_dict(mode="json"))
        except ValidationError as error:
            if not all(is_known(problem) for problem in error.errors()):
                raise Wrong(f"{where}: {error}") from error
        for name in type(value).model_fields:
            check(getattr(value, name), f"{where}.{name}")


def is_known(problem):
    place = tuple(part for part in problem["loc"] if isinstance(part, str))
    return problem["type"] == "missing" and any(place == known[-len(place):] for known in KNOWN_MISSING)


def expect(value, where, **fields):
    """Fails when a field is not there, or has another value than given; `...` stands for any."""
    for name, wanted in fields.items():
        found = getattr(value, name, None)
        if found is None or (wanted is not ... and found != wanted):
            raise Wrong(f"{where}: {name} is {found!r}, not {'anything' if wanted is ... else repr(wanted)}")
    return value


def template_of(path, templates):
    """The template of a path; fixed words win over parameters."""
    segments = path.split("/")

    def fits(template):
        parts = template.split("/")
        return len(parts) == len(segments) and all(a.startswith("{") or a == b for a, b in zip(parts, segments))

    fitting = sorted(filter(fits, templates), key=lambda template: template.count("{"))
    return fitting[0] if fitting else None


def operations(contract: dict[str, typing.Any]):
    """Every operation of an OpenAPI document: its id by method and path."""
    return {
        (method.upper(), path): operation["operationId"]
        for path, item in contract["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
