# SPDX-License-Identifier: BSD-3-Clause
"""Priority for what is measured: the kernel weighs sessions before it weighs the processes of one (autogroups)."""

import contextlib
import os
import pathlib

SESSION = pathlib.Path("/proc/self/autogroup")


@contextlib.contextmanager
def niceness(nice):
    """Of all that is started meanwhile."""
    before = SESSION.read_text().split()[-1] if SESSION.exists() else None
    os.nice(nice)
    if before:
        SESSION.write_text(str(nice))
    try:
        yield
    finally:
        if before:
            SESSION.write_text(before)
