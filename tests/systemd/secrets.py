"""secrets.py MACHINE TOKEN WEBHOOK-SECRET RECORD...: looks for secrets of the machine, whose root directory is given, where none may be.

TOKEN and WEBHOOK-SECRET are the files with the API token and with what deliveries are signed with; the tunnels' secrets and the
connectors' tokens are those of the machine's records and of these former ones. Looked at is what is piped in (the journal), everything
that the daemon keeps but the records and what connectors are handed, and every process's arguments and environment.
"""

import base64
import json
import pathlib
import sys
import tomllib

machine = pathlib.Path(sys.argv[1])
state, run = machine / "var/lib/adit", machine / "run/adit"
token, webhook_secret = (pathlib.Path(path).read_text().strip() for path in sys.argv[2:4])


def secrets():
    yield "the API token", token
    yield "the webhook's secret", webhook_secret
    for path in [*(state / "records").glob("*.toml"), *map(pathlib.Path, sys.argv[4:])]:
        secret = tomllib.loads(path.read_text())["secret"]
        yield f"the secret in {path}", secret
        # A connector's token holds the secret in base64 of JSON, which has three forms by what stands before.
        for shift in range(3):
            text = base64.b64encode(b" " * shift + json.dumps(secret).encode()).decode()
            yield f"the connector's token in {path}, form {shift}", text[4:-4]


def places():
    yield "the journal", sys.stdin.buffer.read()
    for folder, private in ((state, state / "records"), (run, run / "private")):
        for path in folder.rglob("*"):
            if path.is_file() and private not in path.parents:
                yield str(path), path.read_bytes()
    for process in (machine / "proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                yield f"{process}/{name}", (process / name).read_bytes()
            except OSError:
                # It has ended.
                continue


known = dict(secrets())
looked_at = 0
for place, content in places():
    looked_at += 1
    for name, secret in known.items():
        if secret.encode() in content:
            sys.exit(f"{name} is in {place}")
if len(known) < 10 or looked_at < 20:
    sys.exit(f"too little to look at: {len(known)} secrets, {looked_at} places")
print(f"{len(known)} secrets, {looked_at} places, found nowhere")
