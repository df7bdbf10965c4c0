# SPDX-License-Identifier: BSD-3-Clause
"""A flood of TLS connections that never get beyond their first bytes: media and honest handshakes go on beside it."""

import collections
import contextlib
import time

import pytest

from background import Background
from client import Client
from lab import RELAY4
from media import Media
from relay import TLS_PORT, Relay
from streams import StreamClient

MAX_HANDSHAKES = 64
HELD = 8 * MAX_HANDSHAKES  # by who floods
HONEST = 50
HONEST_SHARE = 0.9
BEGINNING = bytes.fromhex("1603010200010001fc0303") + bytes(32)  # of a ClientHello of 512 bytes


@pytest.fixture
def relay(lab, tmp_path, authority):
    certificates = [authority.issue("ecdsa")]
    with Relay(lab, tmp_path, certificates=certificates, max_handshakes=MAX_HANDSHAKES, max_connections_per_ip=0) as the_relay:
        yield the_relay


class Flood(Background):
    """Connections as fast as they are accepted, each left within its handshake."""

    def __init__(self, lab):
        super().__init__()
        self.lab = lab
        self.opened = 0
        self.held = collections.deque()

    def __exit__(self, *what):
        super().__exit__(*what)
        for sock in self.held:
            sock.close()

    def step(self):
        if len(self.held) == HELD:
            self.held.popleft().close()
        self.held.append(self.lab.tcp("client", (RELAY4, TLS_PORT)))
        with contextlib.suppress(ConnectionError):
            self.held[-1].send(BEGINNING)
        self.opened += 1


def is_served(lab, context):
    try:
        with StreamClient(lab, context=context) as client:
            client.allocate()
            client.refresh(0)
        return True
    except OSError:
        return False


def test_honest_handshakes_and_media_go_on_beside_those_that_never_end(lab, relay, authority, record_figures):
    context = authority.context()
    flow = Media(lab, lambda family: Client(lab, family))
    with flow, Flood(lab) as flood:
        while flood.opened < 2 * MAX_HANDSHAKES:
            time.sleep(0.01)
        served = [is_served(lab, context) for _ in range(HONEST)]
    flow.client.refresh(0)
    flow.client.close()
    relay.stop()
    gave_way = relay.summary()["TCP and TLS: connections without an allocation closed in favour of new ones"]
    record_figures(
        opened=flood.opened,
        gave_way=gave_way,
        served=f"{sum(served)} of {HONEST}",
        media_lost=f"{flow.lost} of {flow.sent}",
    )
    # All that is left when the flood ends is closed by its clients.
    assert gave_way >= flood.opened - HELD - MAX_HANDSHAKES
    assert sum(served) >= HONEST_SHARE * HONEST
    assert flow.lost == 0
