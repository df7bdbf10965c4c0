# SPDX-License-Identifier: BSD-3-Clause
"""A client behind a load balancer may have an IPv6 address where the relay itself has none."""

import pytest

import stun
from lab import CLIENT4_OTHER, PEER4, RELAY4, RELAY6
from proxy import PROXIED, connect, header
from relay import PORT, Relay
from streams import StreamClient


@pytest.fixture
def relay(lab, tmp_path):
    addresses = [{"address": RELAY4}]
    settings = {"listen": addresses, "relay": addresses, "proxy_protocol_from": [f"{CLIENT4_OTHER}/32"]}
    with Relay(lab, tmp_path, **settings) as the_relay:
        yield the_relay


def test_a_client_may_have_ipv6_where_the_relay_has_none(lab, relay):
    before = header(PROXIED[6], (RELAY6, PORT))
    sock = connect(lab, None, CLIENT4_OTHER, (RELAY4, PORT), before)
    with StreamClient(lab, sock=sock) as client, lab.udp("peer", PEER4) as peer:
        assert client.allocate().xor_address(stun.XOR_MAPPED_ADDRESS) == PROXIED[6]
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"through")
        assert peer.recvfrom(2048) == (b"through", client.relayed)
        peer.sendto(b"and back", client.relayed)
        assert client.receive() == (0x4000, None, b"and back")
