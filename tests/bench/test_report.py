#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page of measured performance is what bench/report makes of the figures beside it, and it says no more than they do:
test_report.py ROOT."""

import json
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


def forward(case, allocations, ratio, **more):
    figure = {"median": 30 * ratio, "min": 30 * ratio, "max": 30 * ratio}
    times = {"median": ratio, "min": ratio, "max": ratio}
    return {
        "case": case, "allocations": allocations, "draw": "uniform", "payload_bytes": 160, "burst": 64, "cycles": figure,
        "floor_cycles": figure, "ratio": times, "packets_per_second": 1e6, "slow_samples": 0, "bytes_per_allocation": 400.0,
    } | more


def memif_run(rate):
    return {"received_per_second": rate, "is_generator_bound": False, "allocated": 10000, "allocated_per_second": 70000.0}


FORWARD = {"tsc_hz": 2600000000, "repeat": 15}
MEMIF = {
    "cases": [{"payload_bytes": 160, "allocations": 10000, "turnpike": [memif_run(8e6), memif_run(7e6), memif_run(9e6)],
               "testpmd": [memif_run(10e6), memif_run(14e6), memif_run(10e6)]}],
    "latency": [],
}
UPKEEP = {
    "allocations": 1000000, "payload_bytes": 160, "rate": 4000000, "not_due_in_time": 0, "kept_up_per_second": 16000.0,
    "kept_up_failed": 0, "strangers_answered_per_second": 1e6, "sent": 8000000, "received_per_second": 4e6, "lost": 0,
}
COST = ["Allocate", "CreatePermission", "ChannelBind", "Refresh", "Refresh to 0"]
SETUP = {
    "allocations": 1000, "bytes_per_allocation": {"control": 300.0, "worker": 250.0},
    "results": [{"request": name, "control_per_second": 300000, "worker_per_second": 2e6, "per_second": 200000} for name in COST],
}


class Report(unittest.TestCase):
    root = Path()

    def run_it(self, *arguments):
        return subprocess.run([self.root / "bench/report", *map(str, arguments)], capture_output=True, text=True, check=False)

    def page_of(self, **files):
        """The page made of these files, and its folder, which stays until the test ends."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, made = Path(folder.name, "source"), Path(folder.name, "made")
        source.mkdir()
        for name, value in files.items():
            Path(source, f"{name}.json").write_text(json.dumps(value))
        done = self.run_it("--from", source, "--to", made)
        self.assertEqual(done.returncode, 0, done.stderr)
        return Path(made, "performance.md").read_text(), made

    def assert_row(self, page, what, reached, verdict):
        rows = [line for line in page.splitlines() if line.startswith(f"| {what} |")]
        self.assertEqual(len(rows), 1, what)
        cells = [cell.strip() for cell in rows[0].split("|")[1:-1]]
        self.assertEqual(cells[2:], [reached, verdict])

    def test_the_page_is_what_is_made_of_the_figures_beside_it(self):
        done = self.run_it("--check")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_plot_that_the_page_shows_is_there_and_is_xml(self):
        docs = self.root / "docs"
        shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (docs / "performance.md").read_text())
        self.assertGreaterEqual(len(shown), 3)
        for name in shown:
            drawing = xml.etree.ElementTree.parse(docs / name).getroot()
            self.assertTrue(drawing.find(f"{SVG}title").text)
            self.assertIn("prefers-color-scheme: dark", drawing.find(f"{SVG}style").text)
        self.assertEqual({Path(name).name for name in shown}, {path.name for path in (docs / "performance").glob("*.svg")})

    def test_a_change_is_noticed(self):
        page, made = self.page_of(forward=FORWARD | {"results": [forward("mixed", 10_000, 2.5)]})
        self.assertEqual(self.run_it("--check", "--from", made / "performance", "--to", made).returncode, 0)
        (made / "performance.md").write_text(page.replace("2.5x", "1.5x"))
        done = self.run_it("--check", "--from", made / "performance", "--to", made)
        self.assertEqual(done.returncode, 1)
        self.assertIn("performance.md", done.stdout)

    def test_whether_a_target_was_reached_is_computed(self):
        for ratio, verdict in (2.8, "yes"), (2.81, "no"):
            page, _ = self.page_of(forward=FORWARD | {"results": [forward("mixed", 10_000, ratio)]})
            self.assert_row(page, "both ways mixed, in process, against macswap: 10k allocations", f"{ratio:g}x", verdict)
            self.assert_row(page, "both ways mixed, in process, against macswap: 4M allocations", "", "not measured")

    def test_what_another_machine_reached_is_told_of_beside(self):
        def run(commit):
            return {"date": "2020-02-02 02:02 UTC", "commit": commit, "quick": False, "machine": {"CPU": f"of {commit}"}, "steps": []}

        what, bound = "both ways mixed, in process, against macswap: 10k allocations", "≤ 2.8x"
        page, made = self.page_of(run=run("aaaa"), forward=FORWARD | {"results": [forward("mixed", 10_000, 2.5)]})
        self.assertNotIn("On other machines", page)
        kept = self.run_it("--keep", "first", "--from", made / "performance", "--to", made)
        self.assertEqual((kept.returncode, kept.stdout), (0, ""))
        forwards = made / "performance/forward.json"
        forwards.write_text(json.dumps(FORWARD | {"results": [forward("mixed", 10_000, 3.5)]}))
        self.assertEqual(self.run_it("--from", made / "performance", "--to", made).returncode, 0)
        page = (made / "performance.md").read_text()
        self.assertIn(f"| {what} | {bound} | 3.5x | no |", page)
        self.assertIn(f"| {what} | {bound} | 3.5x (no) | 2.5x (yes) |", page)
        self.assertIn("| CPU | of aaaa | of aaaa |", page)
        self.assertEqual(self.run_it("--check", "--from", made / "performance", "--to", made).returncode, 0)

    def test_what_has_no_machine_is_not_kept(self):
        _, made = self.page_of(forward=FORWARD | {"results": [forward("mixed", 10_000, 2.5)]})
        kept = self.run_it("--keep", "first", "--from", made / "performance", "--to", made)
        self.assertEqual(kept.returncode, 1)
        self.assertIn("run.json", kept.stderr)
        self.assertFalse((made / "performance/elsewhere").exists())

    def test_ratios_are_of_runs_beside_each_other(self):
        page, _ = self.page_of(memif=MEMIF)
        # 0.8, 0.5 and 0.9: the ratio of the medians would be 0.8, too, but for the order.
        self.assert_row(page, "over memif, packets/s, against testpmd's macswap: 206 bytes, 10k", "0.8x", "yes")
        self.assert_row(page, "allocations with a channel, over memif", "70,000 /s", "yes")

    def test_one_lost_packet_is_too_many(self):
        what = "lost at half of the peak rate while clients refresh and strangers ask"
        for lost, verdict in (0, "yes"), (1, "no"):
            page, _ = self.page_of(memif=MEMIF | {"upkeep": UPKEEP | {"lost": lost}})
            self.assert_row(page, what, f"{lost} packets", verdict)

    def test_the_page_says_what_was_on_its_way(self):
        page, _ = self.page_of(memif=MEMIF | {"upkeep": UPKEEP})
        self.assertNotIn("on their way at once", page)
        page, _ = self.page_of(memif=MEMIF | {"upkeep": UPKEEP | {"most_on_the_way": 7936, "longest_away_us": 51000.4}})
        self.assertIn("| frames that were on their way at once, at most | 7,936 |", page)
        self.assertIn("| longest time that the generator did not run, us | 51,000 |", page)

    def test_ratios_are_told_by_distance(self):
        def run(rate, *distances):
            return {"received_per_second": rate, "is_generator_bound": False, "distance_ns": list(distances)}

        case = {"payload_bytes": 160, "allocations": 10000, "turnpike": [run(8e6, 30, 31), run(9e6, 30, 30), run(2e6, 160, 170)],
                "testpmd": [run(1e7, 32, 33), run(1e7, 30, 30), run(4e6, 160, 160)]}
        page, _ = self.page_of(memif=MEMIF | {"cases": [case]})
        self.assertIn("| 0.80 (0.50..0.90) | no | 0.85 at 31 ns (2), 0.50 at 160 ns (1) |", page)

    def test_memif_is_compared_in_turn_with_coturn(self):
        def run(both):
            return {"both": {"allocations": 10000, "media": {"received_per_second": both, "is_generator_bound": False}},
                    "paced": {"media": {"rate": 20000}}}

        # 100, 50 and 60: the ratio of the medians would be 50.
        runs = {"turnpike": [run(3e5)] * 3, "coturn": [run(1e5), run(2e5), run(2e5)], "memif": [run(1e7), run(1e7), run(1.2e7)]}
        page, _ = self.page_of(memif=MEMIF, coturn=runs)
        self.assert_row(page, "over memif against coturn on veth, both ways mixed, one core each, packets/s delivered", "60x", "no")
        self.assertIn("10,000,000 packets/s, 60.0 times coturn's (50.0..100.0). In 0 of 3 runs", page)

    def test_two_threads_count_more_than_one(self):
        def result(threads, ratio):
            figure = {"median": 50.0}
            return {"case": "mixed-all", "allocations": 10000, "threads": threads, "right_cycles": figure, "wrong_cycles": figure,
                    "ratio": {"median": ratio}}

        page, _ = self.page_of(handoff={"wrong_percent": 50, "results": [result(1, 1.1), result(2, 1.4)]})
        self.assert_row(page, "two workers, half of all packets on the wrong one, against none: 10k", "1.4x", "no")

    def test_the_floor_of_the_hand_off_stands_beside_its_cost(self):
        figure = {"median": 50.0}
        result = {"case": "mixed-all", "allocations": 10000, "threads": 2, "right_cycles": figure, "wrong_cycles": figure,
                  "ratio": {"median": 1.5}, "floor_ratio": {"median": 1.125}}
        for floor, row in (True, "| 1.50x | 1.12x |"), (False, "| 1.50x |"):
            if not floor:
                del result["floor_ratio"]
            page, _ = self.page_of(handoff={"wrong_percent": 50, "results": [result]})
            self.assertIn(f"| both | 10k | 2 | 50 | 50 {row}\n", page)

    def test_every_shape_has_a_row(self):
        def figures(**medians):
            return {name: {"median": number} for name, number in medians.items()}

        shapes = {
            "repeat": 15, "allocations": 10000,
            "headers": [{"family": 4, "tag": tag, "payload_bytes": 160} |
                        figures(cycles=cycles, ratio=cycles / 60, floor_ratio=cycles / 15, classify_cycles=35.4)
                        for tag, cycles in (("none", 60), ("software", 90))],
            "fragments": [{"family": 6, "payload_bytes": 1200, "fragments": 2, "order": "reversed", "table": "full"} |
                          figures(datagram_cycles=1234, fragment_cycles=617, whole_cycles=100, ratio=12.34)],
            "floods": [{"family": 4, "fragment_bytes": 640} | figures(cycles=321)],
        }
        page, made = self.page_of(shapes=shapes)
        self.assertIn("| IPv4 | none | 60 | 4.0x |  | 35 |\n", page)
        self.assertIn("| IPv4 | in the frame, by software | 90 | 6.0x | 1.50x | 35 |\n", page)
        self.assertIn("| IPv6 | 2 | reversed | full | 1,234 | 617 | 100 | 12.3x |\n", page)
        self.assertIn("| IPv4 | 640 | 321 |\n", page)
        self.assertEqual(json.loads((made / "performance/shapes.json").read_text()), shapes)

    def test_coturn_is_compared_at_the_same(self):
        def run(both, one_way):
            media = {"received_per_second": both}
            return {"both": {"media": media}, "to_peer": {"media": {"to_peer": {"received_per_second": one_way}}},
                    "paced": {"media": {"rate": 20000}}}

        runs = {"turnpike": [run(3e5, 2e5)] * 3, "coturn": [run(5e4, 2e5)] * 3, "macswap": [run(4e5, 0)] * 3}
        page, _ = self.page_of(memif=MEMIF, coturn=runs)
        self.assertIn("400,000 packets/s; turnpike is at 0.75", page)
        self.assert_row(page, "AF_XDP on veth against coturn on the same, packets/s delivered", "6x", "yes")
        # 8 million against fifty thousand, which is both ways mixed, too.
        self.assert_row(page, "over memif against coturn on veth, both ways mixed, one core each, packets/s delivered", "160x", "yes")
        self.assertIn("| both ways, flat out, packets/s | 300,000 | 50,000 | 6.00x |", page)

    def test_streams_are_compared_at_their_worst(self):
        def run(rate):
            return {"per_second": rate, "gbit_per_second": rate * 9.6e-6, "sent": 1000, "lost": 10, "is_generator_bound": False,
                    "busy": rate / 2000}

        def case(direction, ours, theirs, **more):
            return {"transport": "tls", "direction": direction, "turnpike": [run(ours)] * 3, "coturn": [run(theirs)] * 3} | more

        cases = [case("to-peer", 3e5, 1e5, payload_bytes=1200), case("to-client", 2e5, 1e5, payload_bytes=1200),
                 case("connections", 900, 1000), case("connections", 1200, 1000, version="1.2")]
        openssl = {"handshakes_per_second": 1800, "written_per_second": 1e6, "read_per_second": 1e6}
        page, _ = self.page_of(streams={"repeat": 3, "pairs": 15, "clients": 64, "openssl": [openssl], "cases": cases})
        self.assert_row(page, "TLS against coturn, one core each, packets/s delivered, the worst of its cases", "2x", "yes")
        self.assert_row(page, "TLS against coturn, one core each, handshakes/s", "0.9x", "no")
        self.assert_row(page, "DTLS against coturn, one core each, handshakes/s", "", "not measured")
        self.assertIn("| TLS | 1200 | packets to clients | 200,000 | 100,000 | 1.92 | 1.0 %, 1.0 % | 2.00 (2.00..2.00) | no |", page)
        self.assertIn("connections in 15 short pairs", page)
        self.assertIn("| TLS 1.2 |  | connections with a Binding | 1,200 | 1,000 | 0.01 | 1.0 %, 1.0 % | 1.20 (1.20..1.20) | no |", page)
        self.assertIn("with turnpike and with coturn: TLS 0.45 and 0.50; TLS 1.2 0.60 and 0.50. Below 1", page)
        self.assertIn("TLS handshakes 0.50, records to clients over TLS 0.20.", page)

    def test_what_is_on_paper_follows_from_what_was_measured(self):
        results = [forward("mixed", 1_000_000, 4.0)]
        page, _ = self.page_of(forward=FORWARD | {"results": results}, setup=SETUP, memif=MEMIF)
        # 2.6 GHz / (30 * 4 + 40); (300 + 250) bytes a million times.
        self.assertIn("16.2 million packets a second", page)
        self.assertIn("550 MB in both planes", page)
        page, _ = self.page_of(forward=FORWARD | {"results": results})
        self.assertIn("lacks what it is computed from", page)

    def test_on_paper_queues_and_hand_off_take_their_share(self):
        figure = {"median": 50.0}
        handoff = {"wrong_percent": 50, "results": [
            {"case": "mixed", "allocations": 1_000_000, "threads": 2, "right_cycles": figure, "wrong_cycles": figure,
             "ratio": {"median": 1.25}}]}
        page, _ = self.page_of(forward=FORWARD | {"results": [forward("mixed", 1_000_000, 4.0)]}, setup=SETUP, handoff=handoff)
        # 15 workers of 16.25 Mpps, 100 packets/s a call; half of 35 / 512 * 15 of its share; 1 + 0.25 * 14 / 15 / 0.5.
        self.assertIn("| workers' cycles | 2.44M |", page)
        self.assertIn("| cycles of the worker with the busiest queue | 2.41M |", page)
        self.assertIn("| workers' cycles, nothing steered | 1.66M |", page)
        page, _ = self.page_of(forward=FORWARD | {"results": [forward("mixed", 1_000_000, 4.0)]}, setup=SETUP)
        self.assertNotIn("nothing steered", page)

    def test_nothing_measured_makes_no_page(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_it("--from", folder, "--to", folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there are no results", done.stderr)


if __name__ == "__main__":
    Report.root = Path(sys.argv.pop()).resolve()
    unittest.main()
