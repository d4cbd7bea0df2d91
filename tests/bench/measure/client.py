"""A client of a daemon's Unix sockets."""

import http.client
import json
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(path_of_socket, method, path):
    """The answer's body, whose status has to be that of a success."""
    connection = UnixConnection(path_of_socket)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} is answered with {answer.status}: {body[:200]!r}")
    return body


def ask_json(path_of_socket, method, path):
    return json.loads(ask(path_of_socket, method, path))


def sums(page):
    """Of a page of metrics: for each name the sum of its series."""
    found = {}
    for line in page.decode().splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name = series.split("{", 1)[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found
