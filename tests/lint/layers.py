#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""No include crosses a layer: the table in docs/architecture.md is the law, and the tree is held against it."""

import re
import sys
from pathlib import Path

# Who may include what comes from outside, by the first path component or prefix of the header's name.
FOREIGN = {
    "rte_": {"dataplane", "exchange", "platform"},
    "openssl/": {"proto", "turn", "control"},
    "libconfig.h": {"control"},
    "event2/": {"control"},
    "libmnl/": {"control", "platform"},
    "bpf/": {"platform"},
    "jansson.h": {"ctl"},
    "curses.h": {"ctl"},
}
# These never log and never print: whoever decides what to do about an error logs it.
SILENT = {"proto", "turn", "dataplane"}
SPEAKS = re.compile(r"\b(?:f|d|v|vf|vd)?printf\s*\(|\b(?:f?puts|putchar|perror|syslog)\s*\(|\blog_\w+\s*\(|\brte_log\s*\(|\bRTE_LOG\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def table(text):
    """{layer: layers it may use} in the order of the table."""
    rows = re.findall(r"^\| `([a-z]+)` \|[^|]*\|([^|]*)\|$", text, re.MULTILINE)
    layers = [name for name, _ in rows]
    allowed = {}
    for name, uses in rows:
        uses = uses.strip()
        if uses.startswith("all but "):
            allowed[name] = set(layers) - set(re.split(r",\s*", uses.removeprefix("all but ")))
        elif uses in ("–", "-", ""):
            allowed[name] = set()
        else:
            allowed[name] = set(re.split(r",\s*", uses))
    return allowed


def check_table(root, allowed):
    for name, uses in allowed.items():
        for unknown in uses - set(allowed):
            yield f"docs/architecture.md: layer {name} may use {unknown}, which is no layer"
    for name in allowed:
        if not (root / "src" / name).is_dir():
            yield f"docs/architecture.md: layer {name} has no src/{name}"
    for folder in ("src", "include"):
        present = {path.name for path in (root / folder).iterdir() if path.is_dir()}
        for name in sorted(present - set(allowed)):
            yield f"{folder}/{name}: no layer of docs/architecture.md"


def without_comments(text):
    """The same lines without comments and string contents."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)

    def blank(match):
        if match.group().startswith('"'):
            return match.group()
        return "\n" * match.group().count("\n")

    return pattern.sub(blank, text)


def check_file(path, name, layer, allowed):
    for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
        where = f"{name}:{number}"
        match = INCLUDE.match(line)
        if match:
            header = match.group(2)
            first = header.split("/")[0]
            if first in allowed and first != layer and first not in allowed[layer]:
                yield f"{where}: {layer} may not use {first} ({header})"
            for prefix, layers in FOREIGN.items():
                if header.startswith(prefix) and layer not in layers:
                    yield f"{where}: {layer} may not include {header}"
        elif layer in SILENT and SPEAKS.search(line):
            yield f"{where}: {layer} never logs nor prints"


def problems(root):
    allowed = table((root / "docs" / "architecture.md").read_text())
    if not allowed:
        yield "docs/architecture.md: no table of layers"
        return
    yield from check_table(root, allowed)
    for folder in ("src", "include"):
        for layer in allowed:
            for path in sorted((root / folder / layer).glob("**/*.[ch]")):
                yield from check_file(path, path.relative_to(root), layer, allowed)


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    print("\n".join(found))
    sys.exit(bool(found))
