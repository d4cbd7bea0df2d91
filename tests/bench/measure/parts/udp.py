"""UDP is blocked from the beginning: from the daemon's start until its tunnel is served over HTTP/2."""

import time

from measure.host import Host


def measure(run, found):
    for word, key in (("udp blocked", "served"), ("udp open", "floor")):
        with Host(run.adit, 1) as host:
            run.say(f"one tunnel: {word}")
            host.tell_sandbox(word)
            begun = time.monotonic()
            host.start()
            host.wait_until_all_serve()
            found[key] = time.monotonic() - begun
