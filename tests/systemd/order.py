"""order.py CRASHES: reads `journalctl ADIT_TUNNEL=… -o json` and checks that it tells of each connector from cause to effect.

What a connector wrote stands before the daemon's account of its end, and what its successor wrote behind a crash. Every entry has
the fields that are documented. At least CRASHES crashes must be told of.
"""

import json
import sys

DAEMON, CONNECTOR = "adit", "cloudflared"
PRIORITIES = {DAEMON: {"3", "4", "6"}, CONNECTOR: {"2", "3", "4", "5", "6", "7"}}


class Order:
    def __init__(self):
        self.wrong = []
        self.counts = {DAEMON: 0, CONNECTOR: 0}
        self.crashes = 0
        # Connectors, as REPLICA.GENERATION.
        self.wrote, self.ended = set(), set()

    def take(self, entry):
        self.entry = entry
        who, text = entry.get("SYSLOG_IDENTIFIER"), entry.get("MESSAGE")
        self.expect(who in self.counts, "it is from somebody else")
        self.counts[who] += 1
        # journalctl shows a text with control characters as an array of bytes.
        self.expect(isinstance(text, str), "its message is no text")
        self.expect(entry.get("PRIORITY") in PRIORITIES[who], "it has another priority")
        if who == DAEMON:
            self.take_event(entry.get("ADIT_EVENT"), entry.get("ADIT_CONNECTOR"))
        else:
            self.take_line(entry.get("ADIT_CONNECTOR"))

    def take_event(self, event, connector):
        self.expect(event, "it is no event")
        if event in ("connector-exited", "connector-stopped"):
            self.ended.add(connector)
        if event == "connector-exited":
            self.crashes += 1
            replica, generation = connector.split(".")
            self.expect(f"{replica}.{int(generation) + 1}" not in self.wrote, "its successor wrote before it crashed")

    def take_line(self, connector):
        self.expect(connector, "it is of no connector")
        self.expect(self.entry.get("ADIT_LINE", "").isdigit(), "it has no number")
        self.expect(self.entry.get("ADIT_TIME", "").endswith("Z"), "it has no time")
        self.expect(connector not in self.ended, "its connector wrote it after its end")
        self.wrote.add(connector)

    def expect(self, holds, what):
        if not holds:
            self.wrong.append(f"{what}: {self.entry}")


order = Order()
for line in sys.stdin:
    order.take(json.loads(line))
if order.wrong:
    sys.exit("\n".join(order.wrong[:5]))
if not all(order.counts.values()) or order.crashes < int(sys.argv[1]):
    sys.exit(f"too little to look at: {order.counts}, {order.crashes} crashes")
print(f"{order.counts[DAEMON]} events and {order.counts[CONNECTOR]} lines in order, {order.crashes} crashes")
