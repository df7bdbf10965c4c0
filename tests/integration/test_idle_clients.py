# SPDX-License-Identifier: BSD-3-Clause
"""Ten thousand clients with connections, each with an allocation and a channel, that do nothing: what they cost, and that
they are served when they come back."""

import os
import pathlib
import subprocess
import time

import pytest

from client import Client
from full import FULL
from lab import PEER4, RELAY4
from media import Media
from relay import BINARY, PORT, SANITIZED, TLS_PORT, Relay
from streams import StreamClient

STREAMS = BINARY.parent / "bench" / "streams" / "streams"
CLIENTS = 10000 if FULL else 1000
FILES = CLIENTS + 100
# What one may cost, allocation and all, in bytes: some more than what it does.
COSTS = {"tcp": 2048, "tls1_2": 16384, "tls1_3": 20480, "dtls": 40960}


@pytest.fixture
def relay(lab, tmp_path, authority):
    settings = {"certificates": [authority.issue("ecdsa")], "max_connections_per_ip": 0}
    with Relay(lab, tmp_path, **settings) as the_relay:
        yield the_relay


def openssl_without_1_3(directory):
    """For a program that knows nothing of it."""
    path = pathlib.Path(directory, "openssl.cnf")
    path.write_text(
        "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = usual\n[usual]\nMaxProtocol = TLSv1.2\n"
    )
    return {**os.environ, "OPENSSL_CONF": str(path)}


class Idle:
    """They are there between enter and exit."""

    def __init__(self, lab, transport, environment):
        port = PORT if transport == "tcp" else TLS_PORT
        options = ["--relay", f"{RELAY4}:{port}", "--transport", transport, "--peer", PEER4, "--user", "alice:wonderland"]
        command = ["prlimit", f"--nofile={FILES}", STREAMS, "--hold", "--clients", CLIENTS, *options]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = lab.popen("client", *command, **pipes, env=environment, text=True)

    def __enter__(self):
        said = self.process.stderr.readline()
        assert said == f"{CLIENTS} clients\n", said + self.process.stderr.read()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def are_served(self):
        _, errors = self.process.communicate("\n", timeout=120)
        assert self.process.returncode == 0, errors


@pytest.fixture
def flows(lab, relay, authority):
    """Somebody else's media, of which nothing may be lost."""
    media = [
        Media(lab, lambda family: Client(lab, family)),
        Media(lab, lambda family: StreamClient(lab, family, context=authority.context())),
    ]
    with media[0], media[1]:
        yield media
    assert [flow.lost for flow in media] == [0, 0]
    for flow in media:
        flow.client.refresh(0)
        flow.client.close()


@pytest.mark.parametrize("transport", COSTS)
def test_clients_that_do_nothing_cost_little(lab, relay, flows, tmp_path, transport, record_figures):
    environment = openssl_without_1_3(tmp_path) if transport == "tls1_2" else None
    time.sleep(0.2)
    before_kb = relay.resident_kb()
    with Idle(lab, transport[:3] if transport.startswith("tls") else transport, environment) as idle:
        each = (relay.resident_kb() - before_kb) * 1024 / CLIENTS
        record_figures(clients=CLIENTS, bytes_each=round(each))
        idle.are_served()
    assert SANITIZED or each < COSTS[transport]
