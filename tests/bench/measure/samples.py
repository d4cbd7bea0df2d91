"""What several measurements of one thing come to."""

import math
import statistics
from dataclasses import dataclass

# Fewer have no p99.
P99_FROM = 100


@dataclass(frozen=True)
class Samples:
    """The median and the worst of it: p99 of many, the longest of few."""

    median: float
    worst: float
    worst_is: str

    @classmethod
    def of(cls, values):
        ranked = sorted(values)
        if len(ranked) < P99_FROM:
            return cls(statistics.median(ranked), ranked[-1], "max")
        return cls(statistics.median(ranked), ranked[math.ceil(0.99 * len(ranked)) - 1], "p99")
