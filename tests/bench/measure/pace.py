"""How thoroughly it is measured."""

from dataclasses import dataclass

from measure.host import STABLE_S


@dataclass(frozen=True)
class Pace:
    sizes: tuple[int, ...]
    # Kills of a connector, and over how many tunnels with five each.
    kills: int
    killed_tunnels: int
    # Until memory and threads have settled after a start.
    settle_s: float
    # How long nothing happens, and how often the account is read meanwhile.
    idle_s: float
    sync_interval_s: int
    # Starts and adoptions.
    repeated: int
    # How long requests are made: by many, and by one.
    requests_s: int
    alone_s: int
    # How long connectors are only asked, for a floor; all of them once in 5 s.
    asking_s: int
    outage_s: float
    outage_tunnels: int
    # How many tunnels are provisioned within the rate limit; none when that takes too long.
    limited_tunnels: int | None


FULL = Pace(sizes=(1, 10, 100, 500, 1000), kills=100, killed_tunnels=20, settle_s=STABLE_S, idle_s=61.0, sync_interval_s=60,
            repeated=5, requests_s=10, alone_s=3, asking_s=15, outage_s=60.0, outage_tunnels=30, limited_tunnels=100)
QUICK = Pace(sizes=(1, 60), kills=10, killed_tunnels=2, settle_s=2.0, idle_s=5.0, sync_interval_s=2, repeated=2,
             requests_s=2, alone_s=1, asking_s=1, outage_s=5.0, outage_tunnels=5, limited_tunnels=None)
