#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every source says its license and keeps within the margins of .editorconfig."""

import subprocess
import sys
from pathlib import Path

LICENSE = "SPDX-License-Identifier: BSD-3-Clause"
SOURCES = {".c", ".h", ".py", ".sh", ".mjs", ".js", ".lua"}
TEXTS = SOURCES | {".build", ".txt", ".md", ".conf", ".json", ".html", ".yml"}
C_COLUMNS = 120


def tracked(root):
    output = subprocess.run(
        ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in output.splitlines() if (root / name).is_file()]


def is_script(path):
    return not path.suffix and path.read_bytes()[:2] == b"#!"


def check(path, name):
    if path.suffix not in TEXTS and not is_script(path):
        return
    text = path.read_text()
    lines = text.splitlines()
    if (path.suffix in SOURCES or is_script(path)) and not any(LICENSE in line for line in lines[:3]):
        yield f"{name}:1: no {LICENSE}"
    if text and not text.endswith("\n"):
        yield f"{name}:{len(lines)}: no newline at the end"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield f"{name}:{number}: space at the end of the line"
        if "\t" in line and path.suffix in SOURCES:
            yield f"{name}:{number}: a tab"
        if path.suffix in {".c", ".h"} and len(line) > C_COLUMNS:
            yield f"{name}:{number}: {len(line)} columns"


if __name__ == "__main__":
    root = Path(sys.argv[1])
    found = [problem for path in tracked(root) for problem in check(path, path.relative_to(root))]
    print("\n".join(found))
    sys.exit(bool(found))
