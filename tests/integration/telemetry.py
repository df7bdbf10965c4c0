# SPDX-License-Identifier: BSD-3-Clause
"""Asking the relay over its control socket, as DPDK's own script does."""

import contextlib
import json
import os
import socket
import subprocess

SCRIPT = "/usr/bin/dpdk-telemetry.py"


@contextlib.contextmanager
def client(relay, timeout=5):
    """A connection that has been greeted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(timeout)
        sock.connect(str(relay.control_path))
        greeting = json.loads(sock.recv(1024))
        assert greeting["max_output_len"] >= 16384
        yield sock


def say(sock, question):
    """What comes back of it, unwrapped."""
    sock.send(question.encode() if isinstance(question, str) else question)
    answer = json.loads(sock.recv(65536))
    assert len(answer) == 1
    return next(iter(answer.values()))


def ask(relay, question):
    with client(relay) as sock:
        return say(sock, question)


def script(relay, *questions):
    """The same by DPDK's script."""
    run = subprocess.run(["/usr/bin/python3", SCRIPT], input="".join(f"{question}\n" for question in questions),
                         env={**os.environ, "RUNTIME_DIRECTORY": str(relay.runtime)}, text=True, capture_output=True,
                         timeout=20, check=True)
    return [next(iter(json.loads(line).values())) for line in run.stdout.splitlines()]
