#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Documents stay true: every path, function and test claim that a document names exists in the tree.

Checked in README.md and in every .md under docs:
- `path/to/file` in backticks, for paths under a top-level folder of the project
- `function()` in backticks: some source or header has it
- paths and functions in the text of docs/*.svg
- in docs/protocol.md, each table row names source as `file: function` and tests as `file: claim`
"""
import pathlib
import re
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
FOLDERS = ("src/", "include/", "tests/", "docs/", "config/", "bench/", ".ci/")
CODE = re.compile(r"`([^`\n]+)`")


def sources():
    for folder in ("src", "include", "tests", "bench"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".c", ".h", ".py", ".mjs", ".sh"):
                yield path


def check_drawing(path, words):
    """Errors, and how many names were checked."""
    errors = []
    texts = list(xml.etree.ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text"))
    names = [name for text in texts for name in re.findall(r"[\w./-]+(?:\(\))?", "".join(text.itertext()))]
    names = [name for name in names if name.endswith("()") or name.startswith(FOLDERS)]
    for name in names:
        if name.endswith("()") and name[:-2] not in words:
            errors.append(f"{path.relative_to(ROOT)}: no function {name} in the tree")
        elif name.startswith(FOLDERS) and not (ROOT / name).exists():
            errors.append(f"{path.relative_to(ROOT)}: {name} does not exist")
    if not names:
        errors.append(f"{path.relative_to(ROOT)}: names nothing")
    return errors, len(names)


def main():
    words = set()
    for path in sources():
        words.update(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", path.read_text(errors="replace")))
    errors = []
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    checked = 0
    for document in documents:
        if not document.exists():
            errors.append(f"{document.name}: missing")
            continue
        for number, line in enumerate(document.read_text().splitlines(), 1):
            where = f"{document.relative_to(ROOT)}:{number}"
            for code in CODE.findall(line):
                file, _, names = code.partition(": ")
                if "<" in code or "*" in code:
                    continue  # a pattern, not a name
                if file.startswith(FOLDERS):
                    checked += 1
                    if not (ROOT / file.split(" ")[0]).exists():
                        errors.append(f"{where}: {file} does not exist")
                        continue
                    if names:
                        text = (ROOT / file).read_text(errors="replace")
                        for name in re.split(r",\s*", names):
                            checked += 1
                            if not re.search(r"\b" + re.escape(name.removesuffix("()")) + r"\b", text):
                                errors.append(f"{where}: {file} has no {name}")
                elif re.fullmatch(r"[a-z_][a-z0-9_]*\(\)", code):
                    checked += 1
                    if code[:-2] not in words:
                        errors.append(f"{where}: no function {code} in the tree")
    for drawing in sorted((ROOT / "docs").glob("*.svg")):
        found, count = check_drawing(drawing, words)
        errors += found
        checked += count
    for error in errors:
        print(error)
    print(f"{checked} names in {len(documents)} documents, {len(errors)} wrong")
    if checked < 20:
        print("too few names were found: the check itself is broken")
        return 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
