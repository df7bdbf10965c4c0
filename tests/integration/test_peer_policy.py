# SPDX-License-Identifier: BSD-3-Clause
"""Addresses that no client may reach through the relay: one of each special-purpose block (RFC 8656 section 21.1.1)."""

import socket
import time

import pytest

import stun
from lab import PEER4, RELAY4, RELAY6

SPECIAL4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.254",  # the relay's neighbour: TEST-NET-1, opened by no rule
]
SPECIAL6 = [
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:1::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def allocated(lab, relay, request):
    from client import Client

    with Client(lab) as client:
        client.allocate(family=request.param)
        client.specials = {4: SPECIAL4, 6: SPECIAL6}[request.param]
        yield client
        client.refresh(0)


def test_no_permission_for_a_special_purpose_address(allocated):
    assert {host: allocated.create_permission(host).error for host in allocated.specials} == dict.fromkeys(
        allocated.specials, 403
    )


def test_no_channel_to_a_special_purpose_address(allocated):
    assert {host: allocated.channel_bind(0x4000, (host, 9)).error for host in allocated.specials} == dict.fromkeys(
        allocated.specials, 403
    )


def test_no_packet_for_a_special_purpose_address_leaves(lab, allocated):
    # At the other end of its wire: what a relay sends is not seen at its own, past which it writes.
    with lab.sniffer("core", "relay", timeout=0.3) as sniffer:
        marker = b"must not leave the relay"
        for host in allocated.specials:
            allocated.send_indication((host, 9), marker)
        seen = []
        try:
            while True:
                frame, info = sniffer.recvfrom(65536)
                if marker in frame and info[2] != socket.PACKET_OUTGOING:
                    seen.append(frame)
        except TimeoutError:
            pass
        assert seen == []


def test_port_zero_is_nobodys(relay, client_of):
    client = client_of()
    client.allocate()
    assert client.channel_bind(0x4000, (PEER4, 0)).error == 403
    client.permit(PEER4)


def test_one_denied_address_fails_the_whole_request(relay, client_of, lab):
    client = client_of()
    client.allocate()
    assert client.create_permission(PEER4, "127.0.0.1").error == 403
    with lab.udp("peer", PEER4, timeout=0.3) as peer:
        client.send_indication(peer.getsockname(), b"hello")
        with pytest.raises(TimeoutError):
            peer.recv(2048)


@pytest.mark.parametrize("family, host", [(4, RELAY4), (6, RELAY6)])
def test_ports_of_our_own_below_the_relay_range_are_closed(relay, client_of, family, host):
    client = client_of()
    client.allocate(family=family)
    for port in (22, 53, 3478, 49151):
        assert (port, client.channel_bind(0x4000, (host, port)).error) == (port, 403)


def test_the_refusal_is_signed(relay, client_of):
    client = client_of()
    client.allocate()
    response = client.create_permission("127.0.0.1")
    assert response.error == 403
    assert response.has(stun.MESSAGE_INTEGRITY)


def becomes(what, error):
    """What is asked for until the kernel's news have arrived: soon, and without a reload."""
    deadline = time.monotonic() + 2
    while (said := what().error) != error and time.monotonic() < deadline:
        time.sleep(0.02)
    assert said == error


@pytest.mark.parametrize("family, host", [(4, "198.51.100.77/32"), (6, "2001:db8:77::7/128")])
def test_an_address_is_no_peer_while_it_is_the_hosts(lab, relay, client_of, family, host):
    client = client_of()
    client.allocate(family=family)
    address = host.partition("/")[0]
    client.permit(address)
    for _ in range(2):
        lab.run("relay", "ip", "address", "add", host, "dev", lab.interface)
        try:
            becomes(lambda: client.create_permission(address), 403)
            assert client.channel_bind(0x4000, (address, 50000)).error == 403
        finally:
            lab.run("relay", "ip", "address", "delete", host, "dev", lab.interface)
        becomes(lambda: client.create_permission(address), 0)
    client.refresh(0)
