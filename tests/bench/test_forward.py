#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark measures what it says, and gives no figures of a relay that errs: test_forward.py FORWARD DAMAGED, the
second linked with damage.c. Nothing here depends on how long anything takes."""

import sys
import unittest

from benchmark import BenchmarkTest

SMALL = ["--repeat", "2", "--buffers", "128", "--allocations", "100"]
CASES = ["channel-to-peer", "peer-to-channel", "mixed", "send-to-peer", "peer-to-data", "mixed-v6", "mixed-v4-v6", "hairpin",
         "binding", "unauthenticated"]
WITHOUT_PAYLOAD = ["binding", "unauthenticated"]
WITHOUT_L3FWD = ["mixed-v6", "mixed-v4-v6"]


class Forward(BenchmarkTest):
    def test_relays_and_checks_every_case(self):
        figures, table = self.figures(*SMALL)
        self.assertEqual([result["case"] for result in figures["results"]], CASES)
        self.assertEqual([line.split()[0] for line in table.splitlines()[2:]], CASES)
        for result in figures["results"]:
            with self.subTest(result["case"]):
                # 100 flows before anything is timed, then at least two samples of all buffers.
                self.assertGreaterEqual(result["packets_checked"], 100 + 2 * 128)
                self.assertEqual(result["payload_bytes"], 0 if result["case"] in WITHOUT_PAYLOAD else 160)
                names = ["cycles", "floor_cycles", "ratio"]
                if result["case"] in WITHOUT_L3FWD:
                    self.assertNotIn("l3fwd_ratio", result)
                else:
                    names += ["l3fwd_cycles", "l3fwd_ratio"]
                self.assert_figures(result, *names)
                self.assertAlmostEqual(result["ns"], result["cycles"]["median"] * 1e9 / figures["tsc_hz"], places=1)
                self.assertAlmostEqual(result["packets_per_second"] * result["ns"] / 1e9, 1, places=2)
                # An allocation, its permission and its channel: two cache lines, one and two.
                self.assertGreater(result["bytes_per_allocation"], 5 * 64)

    def test_measures_every_size_asked_for(self):
        asked = [(flows, draw, payload, burst) for flows in (1, 2, 1000) for draw in ("uniform", "zipf")
                 for payload in (4, 1200) for burst in (1, 33)]
        figures, _ = self.figures("--repeat", "1", "--buffers", "64", "--case", "mixed", "--allocations", "1,2,1k",
                                  "--draw", "uniform,zipf", "--payload", "4,1200", "--burst", "1,33")
        self.assertEqual([(result["allocations"], result["draw"], result["payload_bytes"], result["burst"])
                          for result in figures["results"]], asked)

    def test_measures_all_cases_where_all_are_asked_for(self):
        figures, _ = self.figures(*SMALL, "--case", "all")
        self.assertEqual([result["case"] for result in figures["results"]], CASES)

    def test_gives_no_figures_of_a_relay_that_errs(self):
        said = {"mac": "MAC addresses", "ttl": "TTL", "port": "ports", "checksum": "UDP checksum", "payload": "UDP checksum",
                "length": "IPv4 header", "lost": "packets", "twice": "twice", "dropped": "no permission for this peer",
                "uncounted": "bytes"}
        for damage, words in said.items():
            for case in ("mixed", "hairpin"):
                with self.subTest(damage, case=case):
                    self.assert_errs(words, *SMALL, "--case", case, damage=damage)

    def test_gives_no_figures_beside_a_router_that_errs(self):
        said = {"mac": "MAC addresses", "ttl": "TTL", "header checksum": "IPv4 checksum", "length": "another length",
                "lost": "packets"}
        for damage, words in said.items():
            with self.subTest(damage):
                done = self.assert_errs(words, *SMALL, "--case", "mixed", damage=f"router's {damage}")
                self.assertIn("l3fwd" if damage != "lost" else "mixed", done.stderr)

    def test_the_erring_relay_is_right_when_it_does_not_err(self):
        self.assertEqual(self.run_damaged(*SMALL, "--case", "mixed").returncode, 0)

    def test_help_names_every_case(self):
        self.assert_help_names(CASES)

    def test_refuses_what_it_cannot_measure(self):
        self.assert_refuses(["--case", "nonsense"], ["--allocations", "0"], ["--allocations", "100M"], ["--allocations", ""],
                            ["--payload", "161"], ["--payload", "1404"], ["--burst", "65"], ["--repeat", "0"],
                            ["--buffers", "-64"], ["--draw", "normal"], ["--nonsense"], ["--json"], ["extra"])

    def test_says_where_it_could_not_write(self):
        self.assert_says_where_it_could_not_write(*SMALL, "--case", "mixed")


if __name__ == "__main__":
    Forward.program, Forward.damaged = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
