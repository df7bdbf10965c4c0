#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of tables asks all the same, and gives no figures of one that errs: test_tables.py TABLES DAMAGED, the
second linked with damage_tables.c. Nothing here depends on how long anything takes."""

import sys
import unittest

from benchmark import BenchmarkTest

TABLES = ["flow_table", "rte_hash-crc", "rte_hash-keyed", "array"]


class Tables(BenchmarkTest):
    def test_asks_every_table_of_every_size_and_family(self):
        figures, said = self.figures("--keys", "1,777,10k", "--repeat", "2")
        self.assertEqual([(result["keys"], result["family"], result["table"]) for result in figures["results"]],
                         [(keys, family, table) for keys in (1, 777, 10000) for family in (4, 6) for table in TABLES])
        self.assertEqual([line.split()[0] for line in said.splitlines()[2:]], 6 * TABLES)
        for result in figures["results"]:
            with self.subTest(result):
                self.assert_figures(result, "hit_cycles", "miss_cycles")
                # A tag, a value and the key itself at least; an index needs no key.
                self.assertGreaterEqual(result["bytes_per_key"], 4 if result["table"] == "array" else (16 if result["family"] == 4 else 32) + 6)

    def test_gives_no_figures_of_a_table_that_errs(self):
        for damage, table in {"flow_table": "flow_table", "rte_hash": "rte_hash-crc"}.items():
            with self.subTest(damage):
                done = self.run_damaged("--quick", damage=damage)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, f"{table}: key [0-9]+ led to entry 4294967295")

    def test_the_erring_tables_are_right_when_they_do_not_err(self):
        self.assertEqual(self.run_damaged("--quick").returncode, 0)

    def test_help_names_every_table(self):
        self.assert_help_names(TABLES)

    def test_refuses_what_it_cannot_measure(self):
        self.assert_refuses(["--keys", "0"], ["--keys", "100M"], ["--keys", ""], ["--repeat", "0"], ["--nonsense"], ["--json"],
                            ["extra"])

    def test_says_where_it_could_not_write(self):
        self.assert_says_where_it_could_not_write("--quick")


if __name__ == "__main__":
    Tables.program, Tables.damaged = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
