#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One noun, one door, one room, one test: src/<layer>/<noun>.c has include/<layer>/<noun>.h, or a private header beside
it, and tests/unit/<layer>/test_<noun>.c, which is registered."""

import sys
from pathlib import Path

# {"layer/noun": why it has none of its own}
NO_TEST = {"platform/xdp_filter.bpf": "runs in the kernel; test_xdp_filter.c tests it there"}
NO_HEADER = {"platform/xdp_filter.bpf": "nobody includes it: xdp_filter.c loads it"}


def problems(root):
    for path in sorted((root / "src").glob("*/*.c")):
        layer, noun = path.parent.name, path.stem
        name = f"{layer}/{noun}"
        doors = [root / "include" / layer / f"{noun}.h", path.with_suffix(".h")]
        has_header = any(door.exists() for door in doors)
        if not has_header and name not in NO_HEADER:
            yield f"src/{name}.c: no include/{name}.h"
        test = root / "tests" / "unit" / layer / f"test_{noun}.c"
        if not test.exists() and name not in NO_TEST:
            yield f"src/{name}.c: no {test.relative_to(root)}"
        if test.exists() and f"'{noun}'" not in (test.parent / "meson.build").read_text():
            yield f"{test.relative_to(root)}: not in its meson.build"
        if has_header and name in NO_HEADER:
            yield f"tests/lint/nouns.py: {name} has a header and needs no excuse"
        if test.exists() and name in NO_TEST:
            yield f"tests/lint/nouns.py: {name} has a test and needs no excuse"
    for name in sorted(set(NO_TEST) | set(NO_HEADER)):
        if not (root / "src" / f"{name}.c").exists():
            yield f"tests/lint/nouns.py: {name} is gone"
        if not (NO_TEST.get(name, "x") and NO_HEADER.get(name, "x")):
            yield f"tests/lint/nouns.py: {name} has no reason"


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    print("\n".join(found))
    sys.exit(bool(found))
