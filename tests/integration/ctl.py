# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-ctl as an operator runs it."""

import json
import os
import subprocess

from relay import BINARY

CTL = BINARY.parent / "turnpike-ctl"
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}
DONE, REFUSED, USAGE, UNREACHABLE, GARBLED = range(5)


def run(path, *arguments, **options):
    """Its CompletedProcess."""
    return subprocess.run([CTL, "--socket", path, *map(str, arguments)], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env=ENVIRONMENT, **options)


def say(path, *arguments):
    """What it prints when all is well."""
    done = run(path, *arguments)
    assert (done.returncode, done.stderr) == (DONE, ""), done
    return done.stdout


def ask(path, *arguments):
    return json.loads(say(path, *arguments, "--json"))
