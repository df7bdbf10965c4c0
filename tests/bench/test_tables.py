#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of tables asks all the same, and gives no figures of one that errs: test_tables.py TABLES DAMAGED, the
second linked with damage_tables.c. Nothing here depends on how long anything takes."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TABLES = ["flow_table", "rte_hash-crc", "rte_hash-keyed", "array"]


def run(program, *arguments, **environment):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=100, check=False,
                          env=os.environ | environment)


class Tables(unittest.TestCase):
    program = damaged = ""

    def test_asks_every_table_of_every_size_and_family(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figures.json"
            done = run(self.program, "--keys", "1,777,10k", "--repeat", "2", "--json", str(path))
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads(path.read_text())
        self.assertEqual([(result["keys"], result["family"], result["table"]) for result in figures["results"]],
                         [(keys, family, table) for keys in (1, 777, 10000) for family in (4, 6) for table in TABLES])
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()[2:]], 6 * TABLES)
        for result in figures["results"]:
            with self.subTest(result):
                for name in ("hit_cycles", "miss_cycles"):
                    figure = result[name]
                    self.assertTrue(0 < figure["min"] <= figure["median"] <= figure["max"], (name, figure))
                # A tag, a value and the key itself at least; an index needs no key.
                self.assertGreaterEqual(result["bytes_per_key"], 4 if result["table"] == "array" else (16 if result["family"] == 4 else 32) + 6)

    def test_gives_no_figures_of_a_table_that_errs(self):
        for damage, table in {"flow_table": "flow_table", "rte_hash": "rte_hash-crc"}.items():
            with self.subTest(damage):
                done = run(self.damaged, "--quick", DAMAGE=damage)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, f"{table}: key [0-9]+ led to entry 4294967295")

    def test_the_erring_tables_are_right_when_they_do_not_err(self):
        self.assertEqual(run(self.damaged, "--quick").returncode, 0)

    def test_help_names_every_table(self):
        done = run(self.program, "--help")
        self.assertEqual(done.returncode, 0)
        for table in TABLES:
            self.assertIn(f"\n  {table} ", done.stdout)

    def test_refuses_what_it_cannot_measure(self):
        for arguments in (["--keys", "0"], ["--keys", "100M"], ["--keys", ""], ["--repeat", "0"], ["--nonsense"], ["--json"],
                          ["extra"]):
            with self.subTest(arguments):
                done = run(self.program, *arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("see --help", done.stderr)

    def test_says_where_it_could_not_write(self):
        done = run(self.program, "--quick", "--json", "/proc/none/figures.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/proc/none/figures.json: No such file", done.stderr)


if __name__ == "__main__":
    Tables.program, Tables.damaged = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
