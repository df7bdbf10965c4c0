# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark's program under test: what it says and writes, and that it refuses what it cannot do."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path


class BenchmarkTest(unittest.TestCase):
    program = damaged = ""  # the second with a relay that errs as it is told
    TIMEOUT_S = 100

    def run_it(self, *arguments):
        return self._run(self.program, arguments, {})

    def run_damaged(self, *arguments, damage=None):
        return self._run(self.damaged, arguments, {"DAMAGE": damage} if damage else {})

    def _run(self, program, arguments, environment):
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=self.TIMEOUT_S, check=False,
                              env=os.environ | environment)

    def figures(self, *arguments):
        """Those for programs, and what it says to people."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figures.json"
            done = self.run_it(*arguments, "--json", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(path.read_text()), done.stdout

    def assert_figures(self, result, *names):
        for name in names:
            figure = result[name]
            self.assertTrue(0 < figure["min"] <= figure["median"] <= figure["max"], (name, result))

    def assert_errs(self, words, *arguments, damage):
        done = self.run_damaged(*arguments, damage=damage)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(words, done.stderr)
        return done

    def assert_help_names(self, names):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        for name in names:
            self.assertIn(f"\n  {name} ", done.stdout)

    def assert_refuses(self, *all_arguments):
        for arguments in all_arguments:
            with self.subTest(arguments):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("see --help", done.stderr)

    def assert_says_where_it_could_not_write(self, *arguments):
        done = self.run_it(*arguments, "--json", "/proc/none/figures.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/proc/none/figures.json: No such file", done.stderr)
