# SPDX-License-Identifier: BSD-3-Clause
"""Who may connect to the control socket, and how it comes and goes with the relay."""

import contextlib
import grp
import os
import signal
import subprocess

import telemetry
from relay import Relay
from telemetry import ask


def connect_as(path, uid, groups):
    """Whether a process of that user, with these groups, may connect."""
    code = f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect({str(path)!r})"
    run = subprocess.run(["/usr/bin/python3", "-c", code], user=uid, group=groups[0], extra_groups=groups,
                         capture_output=True, text=True)
    assert run.returncode == 0 or "PermissionError" in run.stderr
    return run.returncode == 0


def test_only_the_group_may_connect(lab, tmp_path):
    group = grp.getgrnam("daemon").gr_gid
    with Relay(lab, tmp_path, control_group="daemon") as relay:
        relay.runtime.chmod(0o755)
        assert os.stat(relay.control_path).st_gid == group
        assert connect_as(relay.control_path, 65534, [group])
        assert not connect_as(relay.control_path, 65534, [65534])
        assert ask(relay, "/turnpike/status")["state"] == "running"


def test_an_unknown_group_is_refused_before_anything_is_touched(lab, tmp_path):
    relay = Relay(lab, tmp_path, control_group="nobody-here")
    relay.launch()
    assert relay.process.wait(20) == 1 and " control_group " in relay.log()


def test_a_relay_that_stops_leaves_nobody_waiting_and_no_socket(lab, tmp_path):
    with Relay(lab, tmp_path) as relay, contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(telemetry.client(relay)) for _ in range(5)]
        process = relay.process
        for sock in sockets:
            for _ in range(50):
                sock.send(b"/turnpike/allocations")
        process.send_signal(signal.SIGTERM)
        for sock in sockets:
            while sock.recv(65536):
                pass
        assert process.wait(20) == 0
        assert not relay.control_path.exists()
        relay.process = None


def test_a_relay_starts_without_a_socket_where_others_could_replace_it(lab, tmp_path):
    relay = Relay(lab, tmp_path)
    relay.runtime.chmod(0o777)
    with relay:
        assert " warning control_socket " in relay.log() and not relay.control_path.exists()
