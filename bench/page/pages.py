# SPDX-License-Identifier: BSD-3-Clause
"""docs/performance.md and its plots, made of results and of what people have written (*.md beside this file)."""

import pathlib

from page import paper, plot
from page.results import lookup, median
from page.targets import BOTH, TARGETS

HERE = pathlib.Path(__file__).resolve().parent
CASES = {
    "channel-to-peer": "ChannelData to peer",
    "peer-to-channel": "peer to ChannelData",
    "mixed": "both, mixed",
    "send-to-peer": "Send to peer",
    "peer-to-data": "peer to Data",
    "mixed-v6": "both, IPv6",
    "mixed-v4-v6": "both, IPv4 clients and IPv6 peers",
    "hairpin": "client to client",
    "binding": "Binding, answered",
    "unauthenticated": "Allocate without credentials, answered 401",
}
TAGS = {"none": "none", "software": "in the frame, by software", "device": "by the device"}
HANDOFFS = {
    "peer-to-channel": "peers' packets",
    "mixed": "peers' packets, clients' on the right one",
    "mixed-all": "both",
    "channel-to-peer": "clients' packets",
}
RIVAL_FIGURES = [
    ("both ways, flat out, packets/s", BOTH, False),
    ("to peer, flat out, packets/s", ("to_peer", "media", "to_peer", "received_per_second"), False),
    ("to client, flat out, packets/s", ("to_client", "media", "to_client", "received_per_second"), False),
    ("Binding, flat out, answers/s", ("binding", "flood", "answered_per_second"), False),
    ("allocated with a channel, /s", ("paced", "allocated", "per_second"), False),
    ("refreshed, /s", ("paced", "refreshed", "per_second"), False),
    ("latency to peer, paced, p50 us", ("paced", "media", "to_peer", "latency_us", "p50"), True),
    ("latency to peer, paced, p99 us", ("paced", "media", "to_peer", "latency_us", "p99"), True),
    ("latency to client, paced, p50 us", ("paced", "media", "to_client", "latency_us", "p50"), True),
    ("latency to client, paced, p99 us", ("paced", "media", "to_client", "latency_us", "p99"), True),
]
STREAM_DIRECTIONS = {
    "to-peer": "packets to peers",
    "to-client": "packets to clients",
    "both": "packets, both ways",
    "connections": "connections with a Binding",
}
NEAR_NS = 80  # one way from CPU to CPU: less where they share a cache, twice as much and more where they do not
NOTHING = "This run has none: it was not measured.\n"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def count(number):
    return f"{number // 1_000_000}M" if number % 1_000_000 == 0 else f"{number // 1000}k" if number >= 1000 else str(number)


def mpps(rate):
    return f"{rate / 1e6:.2f}" if rate else ""


def rounded(result, figure):
    return f"{result[figure]['median']:,.0f}"


def floor_of(results):
    """What macswap took, TSC cycles: the least, and from which to which median of a case."""
    floors = [result["floor_cycles"] for result in results.forwards()]
    medians = sorted(floor["median"] for floor in floors)
    return min(floor["min"] for floor in floors), f"{medians[0]:.0f} to {medians[-1]:.0f}"


def alone_of(results, figure):
    """What OpenSSL alone does, as text."""
    rate = median([run[figure] for run in (results.get("streams") or {}).get("openssl", [])])
    return f"{rate:,.0f}" if rate else ""


def verdict_of(target, results):
    reached, verdict = target.verdict(results)
    return reached, f"({verdict})" if reached else verdict


class Page:
    def __init__(self, results, elsewhere=()):
        self.results = results
        self.elsewhere = elsewhere  # of other machines
        self.plots = {}  # file name: SVG

    def plot(self, name, what, drawing):
        self.plots[f"{name}.svg"] = drawing
        return f"\n![{what}](performance/{name}.svg)\n"

    def text(self):
        sections = [
            ("", (HERE / "head.md").read_text()),
            ("What was to be reached", self.targets()),
            ("The machine and the commands", self.machine()),
            *self.other_machines(),
            ("What is timed", (HERE / "timed.md").read_text()),
            ("What a packet costs a worker", self.forward()),
            ("Tags, IPv6 and fragments", self.shapes()),
            ("Two workers: hand-off against steering", self.handoff()),
            ("The table", self.tables()),
            ("Between two processes", self.memif()),
            ("Latency against load", self.latency()),
            ("Media while both planes are busy", self.upkeep()),
            ("Setting up", self.setup()),
            ("Memory", self.memory()),
            ("Beside coturn", self.coturn()),
            ("TCP, TLS and DTLS", self.streams()),
            ("What bounds it", (HERE / "bounds.md").read_text()),
            ("On paper: 100G, 64 cores, a million calls", paper.text(self.results, HERE / "on-paper.md")),
            ("Pktgen-DPDK over vhost, one machine", (HERE / "pktgen.md").read_text()),
        ]
        return "\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections)

    def targets(self):
        rows = []
        for target in TARGETS:
            reached, verdict = target.verdict(self.results)
            rows.append([target.what, target.bound_text(), reached, verdict])
        measured = [row for row in rows if row[3] != "not measured"]
        text = table(["what", "target", "reached", ""], rows)
        reached = sum(row[3] == "yes" for row in measured)
        return (f"{text}\n{reached} of {len(measured)} that were measured. Ratios are of one run, medians of its repetitions.\n"
                f"{self.unrest()}")

    def unrest(self):
        """How far the machine was from rest, by what the floor took."""
        results = self.results.forwards()
        if not results:
            return ""
        least, span = floor_of(self.results)
        slow = sum(result["slow_samples"] > 0 for result in results)
        return (
            f"\nmacswap itself took {least:.0f} cycles a packet at the least, and"
            f" {span} in the median of a case: the more it takes, the busier is memory with"
            " what others do, and the lower is a ratio to it."
            f" {slow} of {len(results)} cases in process have samples of a machine that did not come to rest.\n"
        )

    def other_machines(self):
        if not self.elsewhere:
            return
        runs = [results for results in (self.results, *self.elsewhere) if results.get("run") and results.forwards()]
        heads = [f"`{results.get('run')['commit']}`, {results.get('run')['date'][:10]}" for results in runs]
        facts = [{"macswap, cycles, in the median of a case": floor_of(results)[1],
                  "OpenSSL alone, full handshakes/s of one CPU": alone_of(results, "handshakes_per_second"),
                  **results.get("run")["machine"]} for results in runs]
        machines = [[name, *(each.get(name, "") for each in facts)] for name in facts[0]]
        rows = [[target.what, target.bound_text(), *(" ".join(filter(None, verdict_of(target, results))) for results in runs)]
                for target in TARGETS]
        yield "On other machines", (
            "The same of other runs, of the commits named, beside this page's; their figures are in `docs/performance/elsewhere/`. A virtual"
            " CPU is as fast as its host lets it be: OpenSSL alone, which has no part in any of this, tells how fast that was. One that is slower"
            " takes more cycles of the clock, and more times what macswap takes, which waits for memory most of the time.\n\n"
            f"{table(['what', *heads], machines)}\n{table(['what', 'target', *heads], rows)}"
        )

    def machine(self):
        run = self.results.get("run")
        if not run:
            return NOTHING
        rows = [["date", run["date"]], ["commit", f"`{run['commit']}`"], *run["machine"].items()]
        steps = [
            [f"`{step['command']}`" if step["command"] else step["name"], step["why"] or step["status"],
             f"{step['seconds']} s", step["load"], f"`{step.get('commit', run['commit'])}`"]
            for step in run["steps"]
        ]
        quick = "\n**A quick run: the figures are indicative.**\n" if run["quick"] else ""
        return (
            f"{quick}\n{table(['what', 'which'], rows)}\n{table(['command', 'outcome', 'took', 'load average before', 'commit'], steps)}"
        ).lstrip("\n")

    # In process

    def forward(self):
        results = self.results.forwards()
        if not results:
            return NOTHING
        sizes = sorted({result["allocations"] for result in results})
        rows = [[name, *(self.cycles(case, size) for size in sizes)] for case, name in CASES.items()]
        repeat = self.results.get("forward")["repeat"]
        text = (
            f"TSC cycles a packet of 160 bytes of payload, by allocations; in brackets, how many times what macswap costs. Medians "
            f"of {repeat}, bursts of 64, flows drawn evenly.\n\n" + table(["case", *map(count, sizes)], rows)
        )
        return text + self.cost_plot(sizes) + self.rivals_in_process(sizes) + self.draws()

    def cycles(self, case, size):
        result = self.results.forward(case, size)
        return f"{result['cycles']['median']:.0f} ({result['ratio']['median']:.1f}x)" if result else ""

    def cost_plot(self, sizes):
        def series(name, case, figure="cycles"):
            points = [(size, self.results.forward_figure(figure, case, size)) for size in sizes]
            return plot.Series(name, [point for point in points if point[1]])

        drawn = [series(CASES[case], case) for case in ("mixed", "mixed-v6", "send-to-peer", "peer-to-data")]
        drawn += [series("l3fwd", "mixed", "l3fwd_cycles"), series("macswap", "mixed", "floor_cycles")]
        axes = plot.Axis("allocations", is_log=True, ticks=sizes), plot.Axis("TSC cycles a packet")
        if len(sizes) < 2:
            return ""
        return self.plot("cost", "Cycles a packet by allocations", plot.lines("Cost against allocations", *axes, drawn))

    def rivals_in_process(self, sizes):
        rows = []
        for case in ("channel-to-peer", "peer-to-channel", "mixed"):
            figures = [self.results.forward_figure("l3fwd_ratio", case, size) for size in sizes]
            rows.append([CASES[case], *(f"{figure:.2f}x" if figure else "" for figure in figures)])
        if not any(cell for row in rows for cell in row[1:]):
            return ""
        return "\nAgainst a router that looks up the same flows by exact match (DPDK's l3fwd on rte_hash):\n\n" + table(
            ["case", *map(count, sizes)], rows)

    def draws(self):
        extra = self.results.get("forward-draws")
        if not extra:
            return ""
        rows = [
            [CASES[one["case"]], count(one["allocations"]), one["draw"], one["payload_bytes"],
             f"{one['cycles']['median']:.0f}", f"{one['ratio']['median']:.2f}x", mpps(one["packets_per_second"])]
            for one in extra["results"]
        ]
        return "\nOther payloads, and flows by Zipf's law:\n\n" + table(
            ["case", "allocations", "flows", "payload, bytes", "cycles", "against macswap", "Mpps"], rows)

    def shapes(self):
        shapes = self.results.get("shapes")
        if not shapes:
            return NOTHING
        return self.headers(shapes) + self.fragments(shapes) + self.floods(shapes)

    def headers(self, shapes):
        rows = [
            [f"IPv{one['family']}", TAGS[one["tag"]], rounded(one, "cycles"), f"{one['floor_ratio']['median']:.1f}x",
             "" if one["tag"] == "none" else f"{one['ratio']['median']:.2f}x", rounded(one, "classify_cycles")]
            for one in shapes.get("headers", [])
        ]
        return (HERE / "shapes.md").read_text().format(**shapes) + "\n" + table(
            ["family", "802.1Q tag", "cycles a packet", "against macswap", "against no tag", "cycles of receiving and classifying"], rows)

    def fragments(self, shapes):
        found = shapes.get("fragments", [])
        if not found:
            return ""
        rows = [
            [f"IPv{one['family']}", one["fragments"], one["order"], one["table"], rounded(one, "datagram_cycles"),
             rounded(one, "fragment_cycles"), rounded(one, "whole_cycles"), f"{one['ratio']['median']:.1f}x"]
            for one in found
        ]
        return (HERE / "shapes-fragments.md").read_text().format(**found[0]) + "\n" + table(
            ["family", "fragments", "order", "table", "cycles a datagram", "cycles a fragment", "cycles, the same whole", "cost"], rows)

    def floods(self, shapes):
        rows = [[f"IPv{one['family']}", f"{one['fragment_bytes']:,}", rounded(one, "cycles")] for one in shapes.get("floods", [])]
        if not rows:
            return ""
        return (HERE / "shapes-floods.md").read_text() + "\n" + table(["family", "bytes of a fragment", "cycles a fragment"], rows)

    def handoff(self):
        handoff = self.results.get("handoff")
        if not handoff:
            return NOTHING
        head = ["on the wrong worker", "allocations", "threads", "cycles, steered", "cycles, handed over", "cost"]
        rows = [
            [HANDOFFS[one["case"]], count(one["allocations"]), one["threads"], f"{one['right_cycles']['median']:.0f}",
             f"{one['wrong_cycles']['median']:.0f}", f"{one['ratio']['median']:.2f}x"]
            for one in handoff["results"]
        ]
        text = (HERE / "handoff.md").read_text().format(**handoff)
        if all("floor_ratio" in one for one in handoff["results"]):
            text += (HERE / "handoff-floor.md").read_text()
            head.append("floor")
            rows = [[*row, f"{one['floor_ratio']['median']:.2f}x"] for row, one in zip(rows, handoff["results"])]
        return text + "\n" + table(head, rows)

    def tables(self):
        tables = self.results.get("tables")
        if not tables:
            return NOTHING
        rows = [
            [f"`{one['table']}`", f"IPv{one['family']}", count(one["keys"]), f"{one['hit_cycles']['median']:.0f}",
             f"{one['miss_cycles']['median']:.0f}", f"{one['bytes_per_key']:.0f}"]
            for one in tables["results"]
        ]
        return (HERE / "tables.md").read_text() + "\n" + table(
            ["table", "keys of", "how many", "cycles, found", "cycles, not there", "bytes a key"], rows)

    # Two processes

    def memif(self):
        cases = self.results.memif_cases()
        if not cases:
            return NOTHING
        rows = []
        for case in cases:
            payload, size = case["payload_bytes"], case["allocations"]
            rates = [self.results.memif_median(who, "received_per_second", payload, size) for who in ("turnpike", "testpmd")]
            ratio = self.results.memif_ratio(payload, size)
            ratios = [a["received_per_second"] / b["received_per_second"] for a, b in zip(case["turnpike"], case["testpmd"])]
            bound = any(run["is_generator_bound"] for run in case["turnpike"] + case["testpmd"])
            rows.append([payload, payload + 46, count(size), *map(mpps, rates), f"{rates[0] * payload * 8e-9:.1f}",
                         f"{ratio:.2f} ({min(ratios):.2f}..{max(ratios):.2f})", "yes" if bound else "no"])
        head = ["payload, bytes", "ChannelData frame", "allocations", "turnpike, Mpps", "testpmd macswap, Mpps",
                "payload relayed, Gbit/s", "turnpike / testpmd (least..most)", "generator-bound"]
        text = (HERE / "memif.md").read_text()
        distances = [self.by_distance(case) for case in cases]
        if any(distances):
            text += (HERE / "memif-distance.md").read_text()
            head.append("by distance")
            rows = [[*row, distance] for row, distance in zip(rows, distances)]
        return text + "\n" + table(head, rows) + self.rate_plot()

    def by_distance(self, case):
        """The ratio of pairs whose CPUs were near to each other, and of those whose were not."""
        groups = {}
        for pair in zip(case["turnpike"], case["testpmd"]):
            ratio = pair[0]["received_per_second"] / pair[1]["received_per_second"]
            distances = [distance for run in pair for distance in run.get("distance_ns", [])]
            if distances:
                groups.setdefault(max(distances) > NEAR_NS, []).append((ratio, median(distances)))
        return ", ".join(
            f"{median([ratio for ratio, _ in group]):.2f} at {median([distance for _, distance in group]):.0f} ns ({len(group)})"
            for _, group in sorted(groups.items()))

    def rate_plot(self):
        sizes = sorted({case["payload_bytes"] for case in self.results.memif_cases() if case["allocations"] == 10_000})
        if len(sizes) < 2:
            return ""
        drawn = []
        for who, name in ("testpmd", "testpmd macswap"), ("turnpike", "turnpike"):
            rates = [(size, self.results.memif_median(who, "received_per_second", size, 10_000)) for size in sizes]
            drawn.append(plot.Series(name, [(size, rate / 1e6) for size, rate in rates]))
        axes = plot.Axis("payload, bytes", ticks=sizes), plot.Axis("million packets/s, both ways together")
        return self.plot("rate", "Packets a second by payload", plot.lines("Rate against payload, memif, 10k", *axes, drawn))

    def latency(self):
        points = self.results.latencies()
        if not points:
            return NOTHING
        rows = [
            [f"{point['rate'] / 1e6:g}", mpps(point["received_per_second"]), *(f"{point[q]:.1f}" for q in QUANTILES),
             point["lost"], point["not_due_in_time"]]
            for point in points
        ]
        text = (HERE / "latency.md").read_text() + "\n" + table(
            ["asked, Mpps", "relayed, Mpps", *(f"{q} us" for q in QUANTILES), "lost", "not sent in time"], rows)
        if len(points) < 2:
            return text
        drawn = [plot.Series(q, [(point["received_per_second"] / 1e6, point[q]) for point in points]) for q in QUANTILES[:3]]
        axes = plot.Axis("million packets/s relayed"), plot.Axis("microseconds through the relay", is_log=True)
        return text + self.plot("latency", "Latency by load", plot.lines("Latency against load, memif", *axes, drawn))

    def upkeep(self):
        upkeep = self.results.upkeep()
        if not upkeep:
            return NOTHING
        rows = [
            ["allocations", f"{upkeep['allocations']:,}"],
            ["frames that a ring holds", f"{upkeep.get('ring_len', 1024):,}"],
            ["packets/s of media asked for: half of what was relayed flat out", f"{upkeep['rate']:,}"],
            ["packets/s relayed", f"{upkeep['received_per_second']:,.0f}"],
            ["clients a second that refreshed and bound their channel anew", f"{upkeep['kept_up_per_second']:,.0f}"],
            ["of them refused", upkeep["kept_up_failed"]],
            ["requests a second without credentials that were answered 401", f"{upkeep['strangers_answered_per_second']:,.0f}"],
            ["packets of media that the generator did not send in time", upkeep["not_due_in_time"]],
            *self.upkeep_rig(upkeep),
            ["packets of media sent", f"{upkeep['sent']:,}"],
            ["of them lost", f"{upkeep['lost']:,}"],
        ]
        text = (HERE / "upkeep.md").read_text()
        if "most_on_the_way" in upkeep:
            text += (HERE / "upkeep-bound.md").read_text()
        return text + "\n" + table(["what", "how many"], rows)

    def upkeep_rig(self, upkeep):
        """Whether the generator's ring can have been what was full."""
        if "most_on_the_way" not in upkeep:
            return []
        return [
            ["frames that were on their way at once, at most", f"{upkeep['most_on_the_way']:,}"],
            ["longest time that the generator did not run, us", f"{upkeep['longest_away_us']:,.0f}"],
        ]

    # The control plane

    def setup(self):
        setup, requests = self.results.get("setup"), self.results.get("requests")
        if not setup and not requests:
            return NOTHING
        names = [one["request"] for one in (setup or requests)["results"]]
        rows = []
        for name in names:
            cells = [self.results.request("requests", name, "per_second")]
            cells += [self.results.request("setup", name, figure) for figure in
                      ("control_per_second", "worker_per_second", "per_second")]
            rows.append([name, *(f"{cell:,.0f}" if cell else "" for cell in cells)])
        text = "Requests a second of one core:\n\n" + table(
            ["request", "TURN server alone", "control plane", "worker", "both on one core"], rows)
        return text + self.by_packets() + self.setup_plot(names)

    def by_packets(self):
        rows = []
        for case in self.results.memif_cases():
            rates = [run["allocated_per_second"] for run in case["turnpike"] if run.get("allocated_per_second")]
            if rates:
                rows.append([count(case["allocations"]), f"{median(rates):,.0f}", f"{min(rates):,.0f}..{max(rates):,.0f}"])
        if not rows:
            return ""
        return "\nOver memif, by packets: allocations with a channel a second, two requests each and one for the 401.\n\n" + table(
            ["allocations", "a second", "least..most"], rows)

    def setup_plot(self, names):
        drawn = []
        for title, name, figure in (
            ("TURN server alone", "requests", "per_second"),
            ("control plane, in process", "setup", "control_per_second"),
            ("both planes on one core", "setup", "per_second"),
        ):
            points = [(request, self.results.request(name, request, figure)) for request in names]
            drawn.append(plot.Series(title, [point for point in points if point[1]]))
        return self.plot("setup", "Requests a second", plot.bars("Requests a second of one core", "/s", drawn))

    def memory(self):
        setup = self.results.get("setup")
        sizes = sorted({result["allocations"] for result in self.results.forwards()})
        if not setup and not sizes:
            return NOTHING
        text, drawn = "", []
        if setup:
            shares = setup["bytes_per_allocation"]
            text = (
                f"An IPv4 allocation with one permission and one channel, {setup['allocations']:,} of them, resident: "
                f"{shares['control']:.0f} bytes in the control plane, {shares['worker']:.0f} in the worker.\n\n"
            )
            drawn.append(plot.Series("resident", [("control plane", shares["control"]), ("worker", shares["worker"])]))
        rows = [[count(size), *(self.table_bytes(case, size) for case in ("mixed", "mixed-v6"))] for size in sizes]
        text += "The worker's tables at full size, bytes an allocation:\n\n" + table(["allocations", "IPv4", "IPv6"], rows)
        full = [(count(size), self.table_bytes("mixed", size)) for size in sizes if size >= 10_000]
        drawn.append(plot.Series("a worker's tables at full size", [point for point in full if point[1]]))
        return text + self.plot("memory", "Bytes an allocation", plot.bars("Memory of an allocation", "bytes", drawn))

    def table_bytes(self, case, size):
        result = self.results.forward(case, size)
        return round(result["bytes_per_allocation"]) if result else ""

    # Rivals

    def coturn(self):
        ours, theirs = (self.results.coturn_runs(name) for name in ("turnpike", "coturn"))
        if not ours or not theirs:
            return NOTHING
        rows = []
        for name, path, is_less_better in RIVAL_FIGURES:
            figures = [median([lookup(run, path) for run in runs]) for runs in (ours, theirs)]
            better = self.results.coturn_ratio(path, is_less_better)
            if None not in figures and better is not None:
                rows.append([name, *(f"{figure:,.0f}" for figure in figures), f"{better:.2f}x"])
        rate = lookup(ours[0], ("paced", "media", "rate"))
        return (HERE / "coturn.md").read_text().format(repeat=len(ours), rate=rate or "a fixed number of") + "\n" + table(
            ["median of the runs", "turnpike", "coturn", "turnpike is better by"], rows) + self.veth_floor(ours) + self.beside_coturn(theirs)

    def streams(self):
        cases = self.results.stream_cases()
        if not cases:
            return NOTHING
        streams = self.results.get("streams")
        turns = f"{streams['repeat']} times"
        if "pairs" in streams:
            turns = f"media {turns}, connections in {streams['pairs']} short pairs with the other relay stopped meanwhile"
        text = (HERE / "streams.md").read_text().format(**streams, turns=turns)
        rows = [self.stream_row(case) for case in cases]
        return text + "\n" + table(
            ["transport", "payload, bytes", "what", "turnpike, /s", "coturn, /s", "turnpike, Gbit/s", "lost by turnpike, by coturn",
             "turnpike / coturn (least..most)", "generator-bound"], rows) + self.generator_share(cases) + self.openssl_alone(streams)

    def stream_name(self, case):
        return " ".join([case["transport"].upper(), case.get("version", "")]).rstrip()

    def generator_share(self, cases):
        """A client's part of a handshake is work, too: whether it was what ended first."""
        shares = []
        for case in cases:
            busy = [median([run.get("busy") for run in case[relay]]) for relay in ("turnpike", "coturn")]
            if case["direction"] == "connections" and None not in busy:
                shares.append(f"{self.stream_name(case)} {busy[0]:.2f} and {busy[1]:.2f}")
        if not shares:
            return ""
        return (
            f"\nOf the time in which connections were made, the generator's CPU was busy, with turnpike and with coturn: {'; '.join(shares)}. "
            "Below 1 it waited for the relay.\n"
        )

    def stream_row(self, case):
        runs = case["turnpike"], case["coturn"]
        rates = [median([run["per_second"] for run in one]) for one in runs]
        ratios = [ours["per_second"] / theirs["per_second"] for ours, theirs in zip(*runs) if theirs["per_second"]]
        bits = median([run.get("gbit_per_second") for run in runs[0]])
        bound = [name for name in ("turnpike", "coturn") if any(run["is_generator_bound"] for run in case[name])]
        ratio = self.results.stream_ratio(case)
        return [self.stream_name(case), case.get("payload_bytes", ""), STREAM_DIRECTIONS[case["direction"]],
                *(f"{rate:,.0f}" for rate in rates), f"{bits:.2f}" if bits else "", self.lost_of(runs) if bits else "",
                f"{ratio:.2f} ({min(ratios):.2f}..{max(ratios):.2f})" if ratios else "", ", ".join(bound) or "no"]

    def lost_of(self, runs):
        shares = [sum(run["lost"] for run in one) / max(1, sum(run["sent"] for run in one)) for one in runs]
        return ", ".join(f"{100 * share:.1f} %" for share in shares)

    def openssl_alone(self, streams):
        alone = {name: median([run[name] for run in streams["openssl"]])
                 for name in ("handshakes_per_second", "written_per_second", "read_per_second")}
        ours = {(case["transport"], case.get("payload_bytes"), case["direction"]): case["turnpike"]
                for case in streams["cases"] if "version" not in case}
        near = []
        for what, name, key in (
            ("TLS handshakes", "handshakes_per_second", ("tls", None, "connections")),
            ("records to clients over TLS", "written_per_second", ("tls", 1200, "to-client")),
            ("records from clients over DTLS", "read_per_second", ("dtls", 1200, "to-peer")),
        ):
            if key in ours:
                near.append(f"{what} {median([run['per_second'] for run in ours[key]]) / alone[name]:.2f}")
        return (
            f"\nOpenSSL alone on the relay's CPU, without sockets or TURN, in the same run: {alone['handshakes_per_second']:,.0f} full "
            f"handshakes/s of a TLS 1.3 server, {alone['written_per_second']:,.0f} records/s of 1204 bytes written and "
            f"{alone['read_per_second']:,.0f} read. Of that turnpike, with all it does besides, reaches: {', '.join(near)}.\n"
        )

    def beside_coturn(self, theirs):
        """Without the kernel: only where it was measured in turn with coturn."""
        ours = self.results.coturn_runs("memif")
        if not ours:
            return ""
        ratios = [lookup(run, BOTH) / lookup(other, BOTH) for run, other in zip(ours, theirs)]
        bound = sum(lookup(run, ("both", "media", "is_generator_bound")) for run in ours)
        return (
            f"\nThe same task with shared memory (memif) in place of the kernel, {lookup(ours[0], ('both', 'allocations')):,} allocations,"
            f" in turn with the others: {median([lookup(run, BOTH) for run in ours]):,.0f} packets/s, {median(ratios):.1f} times coturn's"
            f" ({min(ratios):.1f}..{max(ratios):.1f}). In {bound} of {len(ours)} runs it was the generator that could do no more.\n"
        )

    def veth_floor(self, ours):
        floors = self.results.coturn_runs("macswap")
        if not floors:
            return ""
        rates = [(lookup(run, BOTH), lookup(floor, BOTH)) for run, floor in zip(ours, floors)]
        return (
            f"\ntestpmd's macswap engine on the relay's place, by AF_XDP, both ways flat out: "
            f"{median([floor for _, floor in rates]):,.0f} packets/s; turnpike is at {median([our / floor for our, floor in rates]):.2f} "
            "of it. That is what the kernel and the generator leave of any relay on this path.\n"
        )


QUANTILES = ["p50", "p99", "p99.9", "max"]
