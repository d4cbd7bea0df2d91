"""The command line: which parts run, how thoroughly, and what becomes of what they find."""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
import time
import traceback

from measure import goals, machine, table
from measure.pace import FULL, QUICK
from measure.parts import PARTS
from measure.samples import Samples


class Ended(BaseException):
    """Somebody wants this to end."""


class Run:
    """What the parts know of it, and what went wrong so far."""

    def __init__(self, adit, pace):
        self.adit, self.pace = adit, pace
        self.begun, self.failures = time.monotonic(), []

    def say(self, words):
        print(f"[{time.monotonic() - self.begun:5.0f} s] {words}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def part(self, name):
        """A failure in here is told and kept, and the others go on."""
        try:
            yield
        except Exception as failure:
            traceback.print_exc()
            self.failures.append(f"{name}: {type(failure).__name__}: {str(failure)[:300]}")


def main(description):
    options = read_command_line(description)
    pace = QUICK if options.quick else FULL
    run = Run(options.adit, dataclasses.replace(pace, sizes=options.sizes) if options.sizes else pace)
    signal.signal(signal.SIGTERM, end)
    described, found = machine.describe(options.adit), {}
    print(machine.line(described), flush=True)
    try:
        for name in options.only:
            with run.part(name):
                PARTS[name](run, found.setdefault(name, {}))
    except (KeyboardInterrupt, Ended):
        sys.exit("ended by a signal: nothing is left behind")
    finish(run, described, found, options)


def read_command_line(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adit", default=str(machine.ROOT / "target/release/adit"), help="the program (default: %(default)s)")
    parser.add_argument("--only", type=names, default=list(PARTS), metavar="PART,…", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--sizes", type=numbers, metavar="N,…", help=f"numbers of connectors (default: {FULL.sizes})")
    parser.add_argument("--quick", action="store_true", help="few and short: shows that the benchmark works, and the counts of calls")
    parser.add_argument("--json", metavar="FILE", help="write everything that was found to a file, too")
    return parser.parse_args()


def names(text):
    if unknown := [name for name in text.split(",") if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return text.split(",")


def numbers(text):
    counts = tuple(sorted({int(count) for count in text.split(",")}))
    if counts[0] < 1:
        raise argparse.ArgumentTypeError("fewer than one connector")
    return counts


def end(*_):
    raise Ended


def finish(run, described, found, options):
    """Prints it all; exits with 1 when something could not be measured, or a count is not what it must be."""
    sizes = goals.by_number(found)
    lines = list(goals.lines(found))
    print("\n".join(["", *table.of_goals(lines), *(table.of_growth(sizes) if sizes else ())]))
    run.failures += goals.broken_counts(sizes)
    if options.json:
        write_json(options.json, {"machine": described, "found": found, "goals": lines, "failures": run.failures})
    for failure in run.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    run.say("done")
    sys.exit(1 if run.failures else 0)


def write_json(path, everything):
    def plain(value):
        if isinstance(value, goals.Line):
            return dataclasses.asdict(value) | {"of_goal": value.of_goal, "of_floor": value.of_floor, "missed": value.is_missed}
        if isinstance(value, Samples):
            return dataclasses.asdict(value)
        raise TypeError(f"no JSON of {value!r}")

    with open(path, "w") as file:
        json.dump(everything, file, indent=1, default=plain)
        file.write("\n")
