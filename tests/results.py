#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Add up what test runners report: results.py FILE... prints "PASSED FAILED SKIPPED", then one line for each test that
failed or was skipped. A file is pytest's JUnit XML or meson's testlog.json."""

import json
import sys
import xml.etree.ElementTree
from pathlib import Path

MESON = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def of_meson(text):
    for line in text.splitlines():
        entry = json.loads(line)
        yield entry["name"], MESON.get(entry["result"], "failed"), entry["result"]


def of_junit(text):
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        for kind, result in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
            found = case.find(kind)
            if found is not None:
                yield name, result, (found.get("message") or "").partition("\n")[0]
                break
        else:
            yield name, "passed", ""


def main(paths):
    results = {}
    for path in map(Path, paths):
        text = path.read_text()
        for name, result, detail in (of_junit if path.suffix == ".xml" else of_meson)(text):
            # An error in a test's teardown makes a second entry: the worse counts.
            if results.get(name, ("passed",))[0] == "passed":
                results[name] = (result, detail)
    kinds = [result for result, _ in results.values()]
    print(*(kinds.count(kind) for kind in ("passed", "failed", "skipped")))
    for name, (result, detail) in results.items():
        if result != "passed":
            print(f"{result}: {name}: {detail}"[:200])


if __name__ == "__main__":
    main(sys.argv[1:])
