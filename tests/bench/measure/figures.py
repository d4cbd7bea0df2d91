"""What is measured at each size, in the order of the table. Times are kept in seconds, memory in KiB, shares as such."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    key: str
    what: str
    # A format of `units`.
    unit: str


GROUPS = {
    "time": [
        Figure("first_provisioning", "first provisioning: the pass, without a rate limit", "s"),
        Figure("first_ready", "    until every connector is ready", "s"),
        Figure("idle_pass", "an idle pass", "ms"),
        Figure("adopted_ready", "kill -9 of the daemon, its start to READY: adopted", "ms"),
        Figure("adopted_known", "    until its status shows every connector", "ms"),
        Figure("ready", "start to READY, tunnels known, none running", "ms"),
        Figure("started", "    until every connector is ready", "s"),
        Figure("stop", "stop of the daemon and of every connector", "s"),
        Figure("tunnels_alone", "GET /v1/tunnels, one client", "ms"),
        Figure("tunnels_polled", "    polled by many, once a second each", "ms"),
        Figure("tunnels_hammered", "    asked by many at once again", "ms"),
        Figure("status", "adit status, to its first output", "ms"),
        Figure("scrape", "scrape of own families", "ms"),
        Figure("scrape_gzip", "    gzip", "ms"),
        Figure("scrape_relay", "scrape with those of the connectors", "ms"),
        Figure("teardown", "teardown of all, without a rate limit", "s"),
    ],
    "memory": [
        Figure("rss", "RSS, idle", "MiB"),
        Figure("anonymous", "RssAnon, idle", "MiB"),
        Figure("pss", "PSS, idle", "MiB"),
        Figure("anonymous_asked", "RssAnon after requests and scrapes", "MiB"),
        Figure("anonymous_relayed", "RssAnon after scrapes of the connectors", "MiB"),
    ],
    "processor and wake-ups, idle": [
        Figure("idle_share", "share of a core", "%"),
        Figure("idle_wakeups", "wake-ups a second", "/s"),
        Figure("asking_kept", "floor: only asking each every 5 s, kept connections", "%"),
        Figure("asking_fresh", "floor: the same, a connection each time", "%"),
    ],
    "threads and descriptors, idle": [
        Figure("threads", "threads", "count"),
        Figure("descriptors", "descriptors", "count"),
    ],
    "API calls": [
        Figure("calls_first", "first provisioning", "count"),
        Figure("calls_idle", "an idle pass", "count"),
        Figure("calls_teardown", "teardown of all", "count"),
    ],
    "size": [
        Figure("tunnels_bytes", "GET /v1/tunnels", "KiB"),
        Figure("scrape_bytes", "scrape of own families", "KiB"),
        Figure("scrape_relay_bytes", "scrape with those of the connectors", "KiB"),
    ],
}
