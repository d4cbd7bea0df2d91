"""The lines of what is promised, beside what was measured. Pure: what was found comes in, lines go out."""

from dataclasses import dataclass

from measure.samples import Samples

RSS_MAX_KIB = 12 * 1024
CONNECTOR_MAX_KIB = 24
IDLE_CALLS_MAX = 2
# What a first provisioning calls for but once: zones, tunnels, records, the batch that makes the records, and one to spare.
CALLS_CONSTANT = 5
# So many names are asked one by one; if there are more, all records are listed.
QUESTIONS_MAX = 50


@dataclass(frozen=True)
class Line:
    what: str
    # As a person reads it, in the unit or in words; and as a number, when there is one.
    goal_text: str
    goal: float | None
    # A number or Samples; none when it was not measured.
    measured: object
    unit: str
    floor: object = None
    floor_is: str = ""
    # Which of the samples the goal is for.
    is_for_worst: bool = False

    @property
    def value(self):
        return pick(self.measured, self.is_for_worst)

    @property
    def of_goal(self):
        return ratio(self.value, self.goal)

    @property
    def of_floor(self):
        return ratio(self.value, pick(self.floor, self.is_for_worst))

    @property
    def is_missed(self):
        return self.of_goal is not None and self.of_goal > 1


def pick(measured, worst):
    if isinstance(measured, Samples):
        return measured.worst if worst else measured.median
    return measured


def ratio(value, other):
    return value / other if value is not None and other else None


def calls_max(tunnels):
    """How many API calls a first provisioning may take."""
    return 2 * tunnels + CALLS_CONSTANT + (tunnels if tunnels <= QUESTIONS_MAX else 0)


def broken_counts(sizes):
    """What a count, which no noise moves, is above its goal, in words."""
    for tunnels, figures in sorted(sizes.items()):
        limits = {"calls_idle": ("an idle pass", IDLE_CALLS_MAX), "calls_first": ("the first provisioning", calls_max(tunnels))}
        for key, (what, most) in limits.items():
            if figures.get(key, 0) > most:
                yield f"{what} of {tunnels} tunnels takes {figures[key]:g} API calls, not {most} at most"


def lines(found):
    """Of the parts that were to be measured; a line has no value when its part failed, or its size is not among them."""
    sizes = by_number(found)
    if "kills" in found:
        yield from kill_lines(found["kills"])
    if "sizes" in found:
        yield from memory_lines(sizes)
        yield from size_lines(sizes)
    if "limited" in found:
        yield limited_line(found["limited"], sizes)
    if "outage" in found:
        yield outage_line(found["outage"])
    if "udp" in found:
        yield udp_line(found["udp"])


def by_number(found):
    """What was found at each size, by the number of connectors."""
    return {int(count): figures for count, figures in found.get("sizes", {}).items()}


def kill_lines(kills):
    floor, boxed = kills.get("floor"), kills.get("boxed")
    yield Line("kill -9 of a connector to its successor's first instruction", "2 x floor", floor and 2 * floor.median,
               kills.get("latency"), "ms", floor, "reap, fork, exec in C")
    yield Line("    of which the kernel takes the connector apart", "", None, kills.get("ended"), "ms")
    yield Line("    beside as much to take apart, and isolation", "2 x floor", boxed and 2 * boxed.median, kills.get("latency"), "ms",
               boxed, "isolated, too")


def memory_lines(sizes):
    few, many = min(sizes, default=1), max(sizes, default=1)
    least, most = sizes.get(few, {}), sizes.get(many, {})
    each = "12 MiB + 24 KiB each"
    yield Line(f"daemon memory, idle: RSS with {few:,} connector{'s' if few > 1 else ''}", each, memory_max(few), least.get("rss"), "MiB",
               least.get("memory_floor", {}).get("rss"), "the same program, waiting")
    yield Line(f"    RssAnon with {many:,}", each, memory_max(many), most.get("anonymous"), "MiB")
    if few < many and "anonymous" in least and "anonymous" in most:
        grown = (most["anonymous"] - least["anonymous"]) / (many - few)
        yield Line(f"    RssAnon of each, from {few:,} to {many:,}", "24 KiB", CONNECTOR_MAX_KIB, grown, "KiB")


def memory_max(connectors):
    return RSS_MAX_KIB + CONNECTOR_MAX_KIB * connectors


def size_lines(sizes):
    def of(size, key):
        return sizes.get(size, {}).get(key)

    yield Line("idle processor share with 500 connectors", "1 % of a core", 0.01, of(500, "idle_share"), "%", of(500, "asking_kept"),
               "only asking them, in C")
    yield Line("idle reconcile of 1,000 tunnels in one zone", "2 API calls", IDLE_CALLS_MAX, of(1000, "calls_idle"), "count")
    yield Line("first provisioning of 1,000 tunnels", f"{calls_max(1000):,} API calls", calls_max(1000), of(1000, "calls_first"), "count",
               2000, "a tunnel, a configuration")
    yield Line("GET /v1/tunnels with 1,000 tunnels, polled by many", "p99 5 ms", 0.005, of(1000, "tunnels_polled"), "ms",
               of(1000, "version_polled"), "GET /v1/version", is_for_worst=True)
    yield Line("/metrics with 1,000 tunnels, own families", "10 ms", 0.01, of(1000, "scrape"), "ms", of(1000, "version_alone"),
               "GET /v1/version")
    yield Line("adoption of 500 connectors after kill -9 of the daemon", "500 ms", 0.5, of(500, "adopted_known"), "ms",
               of(500, "exec_floor"), "exec, link, end")
    yield Line("start to READY with 100 known tunnels", "100 ms", 0.1, of(100, "ready"), "ms", of(100, "exec_floor"), "exec, link, end")


def limited_line(limited, sizes):
    work = sizes.get(limited.get("tunnels"), {}).get("first_provisioning")
    return Line(f"first provisioning of {limited.get('tunnels', 100)} tunnels at 3 calls a second, beyond its wait", "only the wait",
                limited.get("waited"), limited.get("beyond"), "s", work, "the pass without a limit")


def outage_line(outage):
    what = f"edge back after {outage.get('lasted', 60):.0f} s, until all of {outage.get('tunnels', 30)} tunnels serve"
    return Line(what, "5 s", 5, outage.get("healed"), "s", outage.get("floor"), "as many, simply started")


def udp_line(udp):
    return Line("UDP blocked at a cold start, until served over HTTP/2", "15 s", 15, udp.get("served"), "s", udp.get("floor"),
                "a cold start with UDP")
