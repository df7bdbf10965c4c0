#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of the hand-off has packets handed over, and gives no figures of one that errs: test_handoff.py HANDOFF
DAMAGED, the second linked with damage_handoff.c. Nothing here depends on how long anything takes."""

import sys
import unittest

from benchmark import BenchmarkTest

SMALL = ["--repeat", "2", "--buffers", "256", "--allocations", "1000"]
CASES = ["peer-to-channel", "mixed", "mixed-all", "channel-to-peer"]


class Handoff(BenchmarkTest):
    TIMEOUT_S = 200

    def test_relays_and_checks_every_case_on_one_thread_and_on_two(self):
        figures, table = self.figures(*SMALL, "--allocations", "100,1k", "--threads", "1,2")
        asked = [(case, flows, threads) for case in CASES for flows in (100, 1000) for threads in (1, 2)]
        self.assertEqual([(result["case"], result["allocations"], result["threads"]) for result in figures["results"]], asked)
        self.assertEqual([line.split()[0] for line in table.splitlines()[2:]], [case for case, _, _ in asked])
        self.assertEqual(figures["wrong_percent"], 50)
        for result in figures["results"]:
            self.assert_figures(result, "right_cycles", "wrong_cycles", "ratio")
            for name in ("crossing_cycles", "floor_ratio"): # a machine that is not at rest can make a crossing cost less than none
                figure = result[name]
                self.assertTrue(figure["min"] <= figure["median"] <= figure["max"], (name, figure))

    def test_lands_as_many_wrong_as_it_is_told(self):
        for percent in ("0", "1", "100"):
            with self.subTest(percent):
                figures, _ = self.figures(*SMALL, "--threads", "1", "--wrong", percent)
                self.assertEqual(figures["wrong_percent"], int(percent))

    def test_gives_no_figures_of_a_hand_off_that_errs(self):
        for damage, words in {"payload": "UDP checksum", "uncounted": "were handed on"}.items():
            for threads in ("1", "2"):
                with self.subTest(damage, threads=threads):
                    self.assert_errs(words, *SMALL, "--threads", threads, damage=damage)

    def test_the_erring_hand_off_is_right_when_it_does_not_err(self):
        self.assertEqual(self.run_damaged(*SMALL, "--threads", "1").returncode, 0)

    def test_help_names_every_case(self):
        self.assert_help_names(CASES)

    def test_refuses_what_it_cannot_measure(self):
        self.assert_refuses(["--quick", "--case", "all"], ["--allocations", "0"], ["--wrong", "101"], ["--threads", "3"],
                            ["--threads", ""], ["--repeat", "0"], ["--buffers", "32768"], ["--nonsense"], ["--json"], ["extra"])

    def test_says_where_it_could_not_write(self):
        self.assert_says_where_it_could_not_write(*SMALL)


if __name__ == "__main__":
    Handoff.program, Handoff.damaged = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
