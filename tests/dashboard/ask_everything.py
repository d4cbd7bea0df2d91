"""Asks a Prometheus every query of the dashboard, as Grafana would, and says which get no data.

    ask_everything.py DASHBOARD PROMETHEUS START

START is the Unix time from which on the daemon was scraped, each second. Grafana's usual scrape takes 15 s, so that everything is
fifteen times as fast here: a bar of at least a minute is one of 4 s.
"""

import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

SCRAPE = 1
FASTER = 15
# Grafana's rules: four scrapes at least, and one more than a point of the graph.
INTERVAL = 60 // FASTER
RATE_INTERVAL = max(INTERVAL + SCRAPE, 4 * SCRAPE)


class Refused(Exception):
    pass


class Prometheus:
    def __init__(self, url, start, end):
        self.url, self.start, self.end = url, start, end

    def ask(self, what, **parameters):
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}", timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error).get("error", str(error))) from error

    def values_of(self, query):
        """What a variable can be: Grafana's own form, `label_values(series, label)`."""
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        return self.ask(f"label/{label}/values", **{"match[]": series, "start": self.start, "end": self.end})

    def numbers(self, expr, instant):
        """Every number that a query gives, now or at any point of the graph, which may begin at any second."""
        if instant:
            return [float(series["value"][1]) for series in self.ask("query", query=expr, time=self.end)["result"]]
        found = self.ask("query_range", query=expr, start=self.start, end=self.end, step=SCRAPE)["result"]
        return [float(value) for series in found for _, value in series["values"]]


def regex_of(values):
    """A choice as Grafana writes it into a matcher: escaped, and in brackets when there are several."""
    escaped = [re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\")) for value in values]
    return escaped[0] if len(escaped) == 1 else "(" + "|".join(escaped) + ")"


def fill_in(expr, chosen, span):
    everything = {**chosen, "__rate_interval": f"{RATE_INTERVAL}s", "__interval": f"{INTERVAL}s", "__range": f"{span}s"}
    # What is no variable stays: label_replace has a dollar of its own.
    return re.sub(r"\$\{?(\w+)\}?", lambda found: everything.get(found[1], found[0]), expr)


def choices(prometheus, variables):
    """All, and everything by its name. Each variable's own query has to give something."""
    by_name, problems = {}, []
    for variable in variables:
        if variable["type"] != "query":
            continue
        values = prometheus.values_of(fill_in(variable["query"]["query"], by_name, 0))
        if not values:
            problems.append(f"the variable {variable['name']} has no values")
        by_name[variable["name"]] = regex_of(values or [".*"])
    everything = {variable["name"]: variable["allValue"] for variable in variables if variable["type"] == "query"}
    return {"All": everything, "all by name": by_name}, problems


def problem_with(prometheus, expr, instant):
    try:
        numbers = prometheus.numbers(expr, instant)
    except Refused as refusal:
        return f"is refused: {refusal}"
    if not numbers:
        return "has no data"
    return "has nothing but NaN" if all(math.isnan(number) for number in numbers) else None


def questions(dashboard):
    """Where, the query and whether it is of now."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", target["expr"], target["instant"]
    for mark in dashboard["annotations"]["list"]:
        yield f"annotation {mark['name']}", mark["expr"].replace(f"offset {mark['step']}", "offset $__interval"), False


def main():
    path, url, start = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    end = int(time.time())
    # The last point of a graph is now.
    prometheus = Prometheus(url, end - (end - int(start)) // INTERVAL * INTERVAL, end)
    chosen, problems = choices(prometheus, dashboard["templating"]["list"])
    asked = 0
    for place, expr, instant in questions(dashboard):
        for how, values in chosen.items():
            asked += 1
            filled = fill_in(expr, values, prometheus.end - prometheus.start)
            problem = problem_with(prometheus, filled, instant)
            if problem:
                problems.append(f"{place} ({how}) {problem}: {filled}")
    print(f"{asked} queries asked over {prometheus.end - prometheus.start} s, {len(problems)} problems")
    sys.exit("\n".join(problems) if problems else None)


main()
