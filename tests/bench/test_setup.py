#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of setting up has every request served by both planes, and says how many cycles that took each of them:
test_setup.py SETUP. Nothing here depends on how long anything takes."""

import sys
import unittest

from benchmark import BenchmarkTest
from memory import memory_limit

REQUESTS = ["Allocate", "CreatePermission", "ChannelBind", "Refresh", "Refresh to 0"]


class Setup(BenchmarkTest):
    def test_serves_and_measures_every_request_of_every_kind_of_client(self):
        for arguments in ([], ["--sha256"], ["--credentials", "rest"], ["--credentials", "rest", "--sha256"]):
            with self.subTest(arguments):
                figures, _ = self.figures("--allocations", "2500", "--users", "7", *arguments)
                self.assertEqual((figures["allocations"], figures["users"]), (2500, 7))
                self.assertEqual([result["request"] for result in figures["results"]], REQUESTS)
                for result in figures["results"]:
                    for plane in ("control", "worker"):
                        cycles = result[f"{plane}_cycles"]
                        self.assert_figures(result, f"{plane}_cycles")
                        self.assertAlmostEqual(
                            result[f"{plane}_per_second"] * cycles["median"] / figures["tsc_hz"], 1, places=2)
                        self.assertLess(result["per_second"], result[f"{plane}_per_second"])

    def test_says_what_memory_an_allocation_takes(self):
        memory = self.figures("--allocations", "30000")[0]["bytes_per_allocation"]
        # Addresses and links of three things, at the least.
        for plane in ("control", "worker"):
            self.assertTrue(64 < memory[plane] < memory_limit(self.program), memory)

    def test_refuses_what_it_does_not_know(self):
        for arguments in (["--allocations", "0"], ["--allocations", "-1"], ["--credentials", "none"], ["more"], ["--fast"]):
            with self.subTest(arguments):
                self.assertEqual(self.run_it(*arguments).returncode, 2)

    def test_help_names_every_option(self):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("--allocations", "--users", "--credentials", "--sha256", "--json"):
            self.assertIn(option, done.stdout)


if __name__ == "__main__":
    Setup.program = sys.argv.pop()
    unittest.main()
