"""receiver.py SECRET: a receiver of webhooks on loopback, which prints its port first and then each delivery, one JSON object a line.

It checks the signature as packaging/docs/hooks.md does, with the function that stands there, and refuses what is not signed.
"""

import http.server
import json
import pathlib
import re
import sys

guide = pathlib.Path("packaging/docs/hooks.md").read_text()
documented = {}
exec(re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1], documented)
secret = pathlib.Path(sys.argv[1]).read_bytes().strip()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_signed = documented["is_from_adit"](secret, self.headers["Adit-Signature"], body)
        print(json.dumps({"signed": is_signed, "path": self.path, **json.loads(body)}), flush=True)
        self.send_response(204 if is_signed else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
