# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: what operators ask and are told, and what whoever may connect to it cannot do to the relay."""

import os
import stat

import telemetry
from telemetry import ask


def test_the_socket_is_where_the_log_says_and_its_group_may_connect(relay):
    assert f' control_socket path={relay.control_path}\n' in relay.log()
    for path, mode in [(relay.control_path, 0o660), (relay.control_path.parent, 0o750)]:
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == mode
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_says_how_it_is(relay, client):
    client.allocate()
    status = ask(relay, "/turnpike/status")
    assert status["state"] == "running" and status["allocations"] == 1 and status["users"] == 1
    assert status["pid"] == relay.process.pid and status["uptime_seconds"] < 600
    assert status["workers"] == relay.settings["workers"] and status["workers_stuck"] == 0
    workers = ask(relay, "/turnpike/workers")["workers"]
    assert len(workers) == status["workers"] and sum(worker["allocations"] for worker in workers.values()) == 1
    assert all(isinstance(value, int) for worker in workers.values() for value in worker.values())
    ports = ask(relay, "/turnpike/ports")["ports"]
    assert sum(port["rx_packets"] for port in ports.values()) > 0
    assert all(port["link"] == "up" and port["driver"] for port in ports.values())


def test_says_what_was_dropped_and_why(relay, client):
    before = ask(relay, "/turnpike/drops")["drops"].get("unknown_protocol", 0)
    client.sock.sendto(b"\xff" * 20, client.server)
    client.allocate()  # behind it
    assert ask(relay, "/turnpike/drops")["drops"]["unknown_protocol"] == before + 1


def test_dpdks_own_script_shows_the_same(relay):
    listed, drops, help_text = telemetry.script(relay, "/", "/turnpike/drops", "/help,/turnpike/drops")
    assert {"/turnpike/status", "/turnpike/workers", "/turnpike/ports", "/ethdev/stats"} <= set(listed)
    assert drops == ask(relay, "/turnpike/drops")
    assert "dropped" in help_text["/turnpike/drops"]


def test_says_what_is_wrong_with_a_question(relay):
    assert ask(relay, "/turnpike/status,fast=1") == {"error": "unknown parameter: fast", "allowed": "nothing"}
    assert ask(relay, "/turnpike/nothing") is None
    assert ask(relay, "/turnpike/status," + "x" * 2000)["error"].startswith("the question is too long")
