# SPDX-License-Identifier: BSD-3-Clause
"""How much memory is too much."""

from pathlib import Path


def memory_limit(program):
    """Bytes an allocation that are too many. A sanitizer's red zones and quarantine are many times what they guard."""
    return 100000 if b"__asan_init" in Path(program).read_bytes() else 4096
