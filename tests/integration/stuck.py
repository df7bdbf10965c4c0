# SPDX-License-Identifier: BSD-3-Clause
"""A worker of the relay, stopped as if it were stuck: a debugger has it, and the other threads go on."""

import contextlib
import ctypes
import os
import pathlib

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_FOR_THREADS = 0x40000000  # __WALL

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def worker_threads(relay):
    tasks = pathlib.Path(f"/proc/{relay.process.pid}/task")
    return [int(task.name) for task in tasks.iterdir() if "worker" in (task / "comm").read_text()]


@contextlib.contextmanager
def stopped(thread):
    _ptrace(PTRACE_SEIZE, thread)
    _ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_FOR_THREADS)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it may have ended
            _ptrace(PTRACE_DETACH, thread)


def wait_for_end(thread):
    """Of a stopped one. The process is not gone before its debugger knows."""
    os.waitpid(thread, WAIT_FOR_THREADS)
