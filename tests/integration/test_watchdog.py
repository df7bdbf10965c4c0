# SPDX-License-Identifier: BSD-3-Clause
"""Relays of other settings: no room, a worker that is not to be stuck, a service manager, metrics elsewhere or nowhere."""

import socket
import time

import pytest

from client import Client
from monitor import METRICS_PORT, ask
from relay import Relay, render_config
from stuck import stopped, wait_for_end, worker_threads

EXIT_STUCK = 70


def test_a_full_relay_is_healthy_and_not_ready(lab, tmp_path):
    with Relay(lab, tmp_path, total_quota=1), Client(lab) as client:
        assert ask(lab, "/readyz") == (200, "ready\n")
        client.allocate()
        assert ask(lab, "/readyz") == (503, "no room for another allocation\n")
        assert ask(lab, "/healthz") == (200, "healthy\n")
        client.refresh(0)


def test_a_stuck_worker_may_end_the_process(lab, tmp_path):
    relay = Relay(lab, tmp_path, watchdog="exit")
    relay.start()
    thread = worker_threads(relay)[0]
    with stopped(thread):
        wait_for_end(thread)
    assert relay.process.wait(5) == EXIT_STUCK
    assert " worker_stuck worker=0" in relay.log()
    # The next one finds all as it should be.
    with Relay(lab, tmp_path):
        pass


def test_a_service_manager_is_told(lab, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        relay = Relay(lab, tmp_path)
        relay.launch(manager=path)

        def hear(beginning):
            while not (heard := manager.recv(256)).startswith(beginning):
                assert heard.startswith(b"WATCHDOG=1\nSTATUS=0 allocations; relays "), heard
            return heard

        assert manager.recv(256) == b"READY=1"
        for _ in range(2):
            assert hear(b"WATCHDOG=1")
        for is_good in (True, False):
            relay.config.write_text(render_config(relay.settings) if is_good else "")
            before_us = time.monotonic_ns() // 1000
            assert relay.reload() is is_good
            heard = hear(b"RELOADING=1\nMONOTONIC_USEC=")
            assert before_us <= int(heard.partition(b"USEC=")[2]) <= time.monotonic_ns() // 1000
            assert hear(b"READY=1")
        assert relay.stop() == 0
        assert hear(b"STOPPING=1")


def test_a_port_that_is_taken_is_named(lab, tmp_path):
    with lab.inside("relay"):
        taken = socket.create_server(("127.0.0.1", METRICS_PORT))
    with taken:
        relay = Relay(lab, tmp_path)
        relay.launch()
        assert relay.process.wait(30) == 1
    assert " error metrics_listen " in relay.log()
    assert f"cannot listen on 127.0.0.1:{METRICS_PORT}: Address already in use" in relay.log()
    assert "set metrics_port to another port" in relay.log()


def test_metrics_may_be_elsewhere_or_nowhere(lab, tmp_path):
    with Relay(lab, tmp_path, metrics_listen=["192.0.2.1"], metrics_port=9642):
        assert ask(lab, "/metrics", port=9642, host="192.0.2.1")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            ask(lab, "/metrics")
    with Relay(lab, tmp_path, metrics_listen=[]), pytest.raises(ConnectionRefusedError):
        ask(lab, "/metrics")
