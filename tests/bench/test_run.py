#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/run.sh measures what it can, says what it cannot and why, and makes the page: test_run.py ROOT BUILD. Nothing here
depends on how long anything takes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

# What the script needs where there is neither testpmd nor coturn.
TOOLS = ["bash", "dirname", "mktemp", "mkdir", "rm", "cut", "cat", "id", "nproc", "git", "env", "renice", "awk"]


class Run(unittest.TestCase):
    root = build = ""

    def run_it(self, *arguments, **environment):
        return subprocess.run([f"{self.root}/bench/run.sh", *map(str, arguments)], capture_output=True, text=True,
                              timeout=200, check=False, env=os.environ | environment)

    def test_measures_what_it_can_and_says_what_it_cannot(self):
        with tempfile.TemporaryDirectory() as folder:
            tools, results = Path(folder, "tools"), Path(folder, "results")
            tools.mkdir()
            for name in TOOLS:
                (tools / name).symlink_to(shutil.which(name))
            done = self.run_it("--quick", "--no-build", "--build", self.build, "--only", "requests,memif,coturn,streams",
                               "--results", results, PATH=str(tools))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            run = json.loads((results / "run.json").read_text())
            self.assertEqual([(step["name"], step["status"]) for step in run["steps"]],
                             [("requests", "done"), ("memif", "skipped"), ("coturn", "skipped"),
                              ("streams", "skipped")])
            for step in run["steps"][1:]:
                self.assertIn(step["why"], done.stdout)
                self.assertRegex(step["why"], "skipped: (not root|one CPU|no (dpdk-testpmd|turnserver))")
            self.assertTrue(run["quick"])
            page = (results / "page" / "performance.md").read_text()
            self.assertIn("A quick run", page)
            self.assertIn("| Allocate |", page)
            self.assertIn(f"| `{run['commit']}` |\n", page)
            first = run["steps"][0]
            done = self.run_it("--quick", "--no-build", "--build", self.build, "--only", "coturn,tables",
                               "--results", results, PATH=str(tools))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            run = json.loads((results / "run.json").read_text())
            self.assertEqual([(step["name"], step["status"]) for step in run["steps"]],
                             [("requests", "done"), ("memif", "skipped"), ("coturn", "skipped"),
                              ("streams", "skipped"), ("tables", "done")])
            self.assertEqual(run["steps"][0], first)

    def test_refuses_what_it_does_not_know(self):
        for arguments in (["--fast"], ["--only", "forward,backward"], ["--results"]):
            with self.subTest(arguments):
                done = self.run_it(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn("see --help", done.stderr)

    def test_help_names_every_option(self):
        done = self.run_it("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("--quick", "--only", "--results", "--publish", "--nice", "--build", "--no-build"):
            self.assertIn(f"\n  {option} ", done.stdout)


if __name__ == "__main__":
    Run.build = sys.argv.pop()
    Run.root = sys.argv.pop()
    unittest.main()
