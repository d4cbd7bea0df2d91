"""What was found, as text."""

from measure.figures import GROUPS
from measure.growth import LINEAR, exponents, is_too_fast
from measure.samples import Samples

# A factor from how it is kept, and what is written after it.
UNITS = {"s": (1, " s"), "ms": (1e3, " ms"), "%": (100, " %"), "MiB": (1 / 1024, " MiB"), "KiB": (1, " KiB"), "/s": (1, "/s"),
         "count": (1, "")}
WHAT, CELL, GOAL, FLOOR = 74, 11, 22, 28
# By thread: what takes less than this is left out.
WAKEUPS_MIN = 0.05


def quantity(value, unit):
    if value is None:
        return "-"
    factor, suffix = UNITS[unit]
    return f"{number(value * factor, unit)}{suffix}"


def number(value, unit):
    if unit == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 or not value else 3
    return f"{value:,.{digits}f}"


def of_goals(lines):
    yield (f"{'':<{WHAT}}{'goal':>{GOAL}}{'measured':>{CELL}}{'worst':>{CELL + 4}}{'of goal':>9}    {'floor':>{CELL}}{'':<3}"
           f"{'of floor':>8}")
    for line in lines:
        floor = None if line.measured is None else median(line.floor)
        if floor and line.is_for_worst and isinstance(line.floor, Samples):
            floor = line.floor.worst
        verdict = "MISSED" if line.is_missed else ""
        text = (f"{line.what:<{WHAT}}{line.goal_text:>{GOAL}}{quantity(median(line.measured), line.unit):>{CELL}}"
                f"{worst(line):>{CELL + 4}}{times(line.of_goal):>9}    {quantity(floor, line.unit):>{CELL}}   "
                f"{times(line.of_floor):>8}  {line.floor_is if floor else '':<{FLOOR}}{verdict}")
        yield text.rstrip()


def worst(line):
    if not isinstance(line.measured, Samples):
        return ""
    return f"{line.measured.worst_is} {quantity(line.measured.worst, line.unit)}"


def times(ratio):
    if ratio is None:
        return "-"
    return f"{ratio:.2f} x" if ratio < 10 else f"{ratio:,.0f} x"


def median(measured):
    return measured.median if isinstance(measured, Samples) else measured


def of_growth(sizes):
    """`sizes`: what was found, by number of connectors."""
    counts = sorted(sizes)
    for group, figures in GROUPS.items():
        yield ""
        yield header(group, counts)
        for figure in figures:
            values = {count: median(sizes[count].get(figure.key)) for count in counts}
            yield growth_row(figure.what, values, figure.unit)
    yield ""
    yield header("wake-ups a second, by thread", counts)
    yield from by_thread(sizes, "wakeups", "/s", WAKEUPS_MIN)
    yield ""
    yield header("processor, by thread", counts)
    yield from by_thread(sizes, "share", "%", 0)
    yield ""
    yield f"exponent: v ~ N^e between the two largest numbers, and between the smallest and the largest; !! above {LINEAR}"


def header(group, counts):
    numbers = "".join(f"{count:>{CELL},}" for count in counts)
    return f"{group:<{WHAT - 12}}{numbers}    exponent"


def growth_row(what, values, unit):
    slopes = exponents(values)
    cells = "".join(f"{quantity(value, unit):>{CELL}}" for value in values.values())
    powers = ", ".join("-" if slope is None else f"{slope:.2f}" for slope in slopes)
    return f"{what:<{WHAT - 12}}{cells}    {powers}{'  !!' if is_too_fast(slopes) else ''}"


def by_thread(sizes, key, unit, least):
    names = sorted({name for figures in sizes.values() for name in figures.get("by_thread", {})})
    for name in names:
        values = {count: figures.get("by_thread", {}).get(name, {}).get(key) for count, figures in sorted(sizes.items())}
        if any(value is not None and value > least for value in values.values()):
            yield growth_row(name, values, unit)
