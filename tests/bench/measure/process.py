"""What the kernel says of a process."""

import os
import socket
import struct
from collections import defaultdict
from pathlib import Path


def memory(pid):
    """In KiB: all that is resident, what of it is its own, and its share of all of it; None for what may not be read."""
    fields = read_fields(f"/proc/{pid}/status")
    try:
        share = read_fields(f"/proc/{pid}/smaps_rollup").get("Pss")
    except PermissionError:
        share = None
    return {"rss": fields["VmRSS"], "anonymous": fields["RssAnon"], "pss": share}


def read_fields(path):
    found = {}
    for line in Path(path).read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            found[name] = int(rest.split()[0])
    return found


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return None


def threads(pid):
    """By the name of the threads: how many there are, their processor time in ns, and how often they have slept, so far."""
    found = defaultdict(lambda: [0, 0, 0])
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            spent = int((task / "schedstat").read_text().split()[0])
            status = (task / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has just ended
        woken = next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
        found[name] = [sum(pair) for pair in zip(found[name], (1, spent, woken))]
    return dict(found)


def processor_time(pid):
    """Of all threads that live, in seconds."""
    return sum(spent for _, spent, _ in threads(pid).values()) / 1e9


def spent_between(before, after, seconds):
    """By name: the share of a core and the wake-ups a second between two looks at threads."""
    rates = {}
    for name, (_, spent, woken) in after.items():
        _, spent_before, woken_before = before.get(name, (0, 0, 0))
        rates[name] = ((spent - spent_before) / 1e9 / seconds, (woken - woken_before) / seconds)
    return rates


def listening_addresses(pids, descriptor):
    """The TCP addresses that processes of this network listen on with one of their descriptors."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    addresses = {f"socket:[{row[9]}]": address(row[1]) for row in rows}
    return [addresses[os.readlink(f"/proc/{pid}/fd/{descriptor}")] for pid in pids]


def address(text):
    """`ADDRESS:PORT` of the kernel's hexadecimal digits, which has addresses as this machine keeps numbers."""
    host, _, port = text.partition(":")
    return f"{socket.inet_ntoa(struct.pack('=I', int(host, 16)))}:{int(port, 16)}"
