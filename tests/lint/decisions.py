#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Decision records have one form: docs/decisions/NNNN-title.md, numbered without a gap, with the sections that make one,
in order, and figures in the one that says what was measured."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
SECTIONS = ["Context", "Decision", "Measured", "Consequences"]


def errors_of(path, number):
    text = path.read_text()
    if not re.fullmatch(rf"{number:04}(-[a-z0-9]+)+", path.stem):
        yield f"is not named {number:04}-title.md"
    if not text.startswith(f"# {number:04}. "):
        yield f"does not begin with '# {number:04}. '"
    if re.findall(r"^## (.*)$", text, re.M) != SECTIONS:
        yield f"has other sections than {', '.join(SECTIONS)}"
        return
    parts = re.split(r"^## .*$", text, flags=re.M)[1:]
    for section, part in zip(SECTIONS, parts):
        if not part.strip():
            yield f"says nothing under {section}"
    if not re.search(r"\d", parts[SECTIONS.index("Measured")]):
        yield "has no figures"


def main():
    records = sorted((ROOT / "docs/decisions").glob("*"))
    errors = [f"{path.relative_to(ROOT)} {error}" for number, path in enumerate(records, 1)
              for error in errors_of(path, number)]
    print("\n".join(errors + [f"{len(records)} records, {len(errors)} errors"]))
    return 1 if errors or not records else 0


if __name__ == "__main__":
    sys.exit(main())
