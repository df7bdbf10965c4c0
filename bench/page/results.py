# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks have written, by file, and where in it a figure is. What was not measured is None."""

import json
import pathlib
import statistics

NAMES = ["run", "forward", "forward-others", "forward-draws", "shapes", "handoff", "tables", "requests", "setup", "memif", "coturn",
         "streams"]
FORWARDS = ["forward", "forward-others", "forward-draws"]
# Of a load generator's report: not told on the page.
UNTOLD = {"requests", "frames", "flows_used", "flows_with_loss", "flows_reordered", "flows_with_duplicates",
          "most_lost_by_one_flow", "sent_bytes", "received_bytes", "damaged"}


def compacted(value):
    """Without what nobody reads, and no digits that mean nothing."""
    if isinstance(value, dict):
        return {key: compacted(part) for key, part in value.items() if key not in UNTOLD}
    if isinstance(value, list):
        return [compacted(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write(path, value):
    """A line for each result, so that changes can be read."""
    lists = {key: part for key, part in value.items() if isinstance(part, list)}
    rest = {key: part for key, part in value.items() if key not in lists}
    members = [f"{json.dumps(key)}: {json.dumps(part)}" for key, part in rest.items()]
    for key, part in lists.items():
        members.append(f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(one) for one in part) + "\n]")
    path.write_text("{" + ",\n".join(members) + "}\n")


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def elsewhere(folder):
    """Of other machines, a folder each."""
    return [Results(one) for one in sorted(pathlib.Path(folder).glob("*/")) if one.is_dir()]


class Results:
    def __init__(self, folder):
        self.files = {}
        for name in NAMES:
            path = pathlib.Path(folder, f"{name}.json")
            if path.exists():
                self.files[name] = compacted(json.loads(path.read_text()))

    def publish(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in self.files.items():
            write(folder / f"{name}.json", value)

    def get(self, name):
        return self.files.get(name)

    def forwards(self):
        return [result for name in FORWARDS for result in self.files.get(name, {}).get("results", [])]

    def forward(self, case, allocations, payload=160, draw="uniform"):
        wanted = {"case": case, "allocations": allocations, "draw": draw, "burst": 64}
        for result in self.forwards():
            if wanted.items() <= result.items() and result["payload_bytes"] in (payload, 0):
                return result
        return None

    def forward_figure(self, figure, case, allocations, **which):
        result = self.forward(case, allocations, **which)
        return result[figure]["median"] if result and figure in result else None

    def handoff(self, case, allocations):
        """Two threads where there were two CPUs."""
        found = [result for result in self.files.get("handoff", {}).get("results", [])
                 if (result["case"], result["allocations"]) == (case, allocations)]
        return max(found, key=lambda result: result["threads"], default=None)

    def request(self, name, request, figure):
        for result in self.files.get(name, {}).get("results", []):
            if result["request"] == request:
                return result[figure]
        return None

    def bytes_an_allocation(self):
        memory = self.files.get("setup", {}).get("bytes_per_allocation")
        return memory["control"] + memory["worker"] if memory else None

    def memif_cases(self):
        return self.files.get("memif", {}).get("cases", [])

    def latencies(self):
        return self.files.get("memif", {}).get("latency", [])

    def upkeep(self):
        return self.files.get("memif", {}).get("upkeep")

    def memif(self, payload, allocations):
        for case in self.memif_cases():
            if (case["payload_bytes"], case["allocations"]) == (payload, allocations):
                return case
        return None

    def memif_median(self, who, figure, payload, allocations):
        case = self.memif(payload, allocations)
        return median([run.get(figure) for run in case[who]]) if case else None

    def memif_ratio(self, payload, allocations):
        """Of runs beside each other."""
        case = self.memif(payload, allocations)
        pairs = zip(case["turnpike"], case["testpmd"]) if case else []
        return median([ours["received_per_second"] / floor["received_per_second"] for ours, floor in pairs])

    def coturn_runs(self, relay):
        return self.files.get("coturn", {}).get(relay, [])

    def coturn_ratio(self, path, is_less_better=False, relay="turnpike"):
        """How much better it is than coturn, of runs beside each other."""
        pairs = zip(self.coturn_runs(relay), self.coturn_runs("coturn"))
        figures = [(lookup(ours, path), lookup(theirs, path)) for ours, theirs in pairs]
        figures = [pair for pair in figures if None not in pair and 0 not in pair]
        return median([theirs / ours if is_less_better else ours / theirs for ours, theirs in figures])


    def stream_cases(self):
        return self.files.get("streams", {}).get("cases", [])

    def stream_ratio(self, case):
        """Of runs beside each other."""
        return median([ours["per_second"] / theirs["per_second"]
                       for ours, theirs in zip(case["turnpike"], case["coturn"]) if theirs["per_second"]])

    def stream_ratios(self, transport, is_media):
        cases = [case for case in self.stream_cases()
                 if case["transport"] == transport and (case["direction"] != "connections") == is_media]
        return [ratio for ratio in map(self.stream_ratio, cases) if ratio is not None]


def lookup(report, path):
    for key in path:
        report = report.get(key) if isinstance(report, dict) else None
    return report
