# SPDX-License-Identifier: BSD-3-Clause
"""Permissions, channels and the data that crosses them, between clients and peers of both families (RFC 8656 sections
9-12)."""

import itertools
import struct

import pytest

import stun
from lab import CLIENT, CLIENT4_OTHER, PEER, PEER4, PEER4_OTHER, PEER6, RELAY4, RELAY6
from relay import PORT

COMBINATIONS = [
    pytest.param(c, r, id=f"client_ipv{c}_peer_ipv{r}") for c, r in itertools.product((4, 6), repeat=2)
]


def silent(sock, timeout=0.3):
    sock.settimeout(timeout)
    try:
        return sock.recv(65536) is None
    except (TimeoutError, ConnectionRefusedError):
        return True
    finally:
        sock.settimeout(2.0)


@pytest.fixture
def peer(lab):
    with lab.udp("peer", PEER4) as sock:
        yield sock


@pytest.fixture
def ready(client, peer):
    """A client with an IPv4 allocation and a permission for the peer."""
    client.allocate()
    client.permit(PEER4)
    return client


# Data crosses


@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_indications_cross_both_ways(lab, relay, client_of, client_family, relay_family):
    client = client_of(client_family)
    client.allocate(family=relay_family)
    with lab.udp("peer", PEER[relay_family]) as peer:
        address = peer.getsockname()[:2]
        client.permit(address[0])
        for payload in (b"", b"a", b"abc", b"abcd", bytes(range(256)) * 4):
            client.send_indication(address, payload)
            data, source = peer.recvfrom(65536)
            assert (data, source[:2]) == (payload, client.relayed)
            peer.sendto(payload[::-1], client.relayed)
            assert client.receive() == (None, address, payload[::-1])


@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_channel_data_crosses_both_ways(lab, relay, client_of, client_family, relay_family):
    client = client_of(client_family)
    client.allocate(family=relay_family)
    with lab.udp("peer", PEER[relay_family]) as peer:
        address = peer.getsockname()[:2]
        client.bind(0x4ABC, address)
        for payload in (b"", b"a", b"abc", b"abcd", bytes(range(256)) * 4):
            client.send_channel(0x4ABC, payload)
            data, source = peer.recvfrom(65536)
            assert (data, source[:2]) == (payload, client.relayed)
            peer.sendto(payload[::-1], client.relayed)
            assert client.receive() == (0x4ABC, None, payload[::-1])


def test_channel_data_with_padding_crosses_without_it(ready, peer):
    ready.bind(0x4000, peer.getsockname())
    ready.send_bytes(stun.channel_data(0x4000, b"abcde") + b"\0\0\0")
    assert peer.recv(2048) == b"abcde"


def test_channel_data_shorter_than_it_says_does_not_cross(ready, peer):
    ready.bind(0x4000, peer.getsockname())
    ready.send_bytes(struct.pack("!HH", 0x4000, 6) + b"abcde")
    assert silent(peer)
    ready.send_channel(0x4000, b"alive")
    assert peer.recv(2048) == b"alive"


def test_a_dual_allocation_relays_for_both_families(lab, client):
    response = client.allocate((stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0])))
    relayed = [stun.decode_address(v, response.transaction_id) for v in response.all(stun.XOR_RELAYED_ADDRESS)]
    client.permit(PEER4, PEER6)
    for host, ours in zip((PEER4, PEER6), relayed):
        with lab.udp("peer", host) as peer:
            client.send_indication(peer.getsockname()[:2], b"there")
            data, source = peer.recvfrom(2048)
            assert (data, source[:2]) == (b"there", ours)
            peer.sendto(b"back", ours)
            assert client.receive() == (None, peer.getsockname()[:2], b"back")


def test_a_channel_turns_data_from_its_peer_alone_into_channel_data(lab, ready, peer):
    ready.bind(0x4000, peer.getsockname())
    with lab.udp("peer", PEER4) as other_port:
        other_port.sendto(b"other port", ready.relayed)
        assert ready.receive() == (None, other_port.getsockname(), b"other port")
    peer.sendto(b"bound", ready.relayed)
    assert ready.receive() == (0x4000, None, b"bound")


# What has no permission does not cross


def test_a_peer_without_permission_is_not_heard(lab, ready):
    with lab.udp("peer", PEER4_OTHER) as stranger:
        stranger.sendto(b"let me in", ready.relayed)
        assert ready.receive(0.3) is None


def test_a_peer_without_permission_is_not_reached(lab, ready):
    with lab.udp("peer", PEER4_OTHER) as stranger:
        ready.send_indication(stranger.getsockname(), b"hello")
        assert silent(stranger)


def test_a_permission_is_for_every_port_of_its_address(lab, ready):
    for _ in range(3):
        with lab.udp("peer", PEER4) as sock:
            ready.send_indication(sock.getsockname(), b"any port")
            assert sock.recv(2048) == b"any port"


def test_a_channel_is_a_permission_too(lab, client, peer):
    client.allocate()
    client.bind(0x4000, peer.getsockname())
    with lab.udp("peer", PEER4) as other_port:
        other_port.sendto(b"same address", client.relayed)
        assert client.receive() == (None, other_port.getsockname(), b"same address")


def test_one_request_permits_many_peers(lab, client):
    client.allocate()
    client.permit(PEER4, PEER4_OTHER)
    for host in (PEER4, PEER4_OTHER):
        with lab.udp("peer", host) as sock:
            client.send_indication(sock.getsockname(), b"hi")
            assert sock.recv(2048) == b"hi"


def test_a_request_with_one_bad_peer_permits_none(lab, client, peer):
    client.allocate()
    assert client.create_permission(PEER4, PEER6).error == 443
    client.send_indication(peer.getsockname(), b"hello")
    assert silent(peer)


def test_data_from_another_5_tuple_does_not_cross(relay, client_of, ready, peer):
    ready.bind(0x4000, peer.getsockname())
    thief = client_of(host=CLIENT4_OTHER)
    thief.send_channel(0x4000, b"stolen")
    thief.send_indication(peer.getsockname(), b"stolen")
    assert silent(peer)


@pytest.mark.parametrize("number", [0x4001, 0x4FFF, 0x5000, 0x7FFF])
def test_an_unbound_channel_does_not_cross(ready, peer, number):
    ready.bind(0x4000, peer.getsockname())
    ready.send_channel(number, b"nowhere")
    assert silent(peer)


def test_a_send_indication_needs_a_peer_and_data(ready, peer):
    ready.send_indication(peer.getsockname(), None)
    message = stun.Message(stun.SEND, stun.INDICATION).add(stun.DATA, b"whither")
    ready.send_bytes(message.encode())
    assert silent(peer)


def test_a_send_indication_with_an_unknown_required_attribute_is_dropped(ready, peer):
    ready.send_indication(peer.getsockname(), b"hello", (0x7F01, b"?"))
    assert silent(peer)
    ready.send_indication(peer.getsockname(), b"hello", (0xFF01, b"?"))
    assert peer.recv(2048) == b"hello"


def test_nothing_crosses_after_the_allocation_is_gone(ready, peer):
    ready.bind(0x4000, peer.getsockname())
    relayed = ready.relayed
    assert ready.refresh(0).is_success
    ready.send_channel(0x4000, b"late")
    ready.send_indication(peer.getsockname(), b"late")
    assert silent(peer)
    peer.sendto(b"late", relayed)
    assert ready.receive(0.3) is None
    # Not even when the same 5-tuple has an allocation again.
    ready.allocate()
    ready.send_channel(0x4000, b"late")
    assert silent(peer)


# ChannelBind and CreatePermission, what they must say (RFC 8656 sections 10.2, 12.2)


@pytest.mark.parametrize("number", [0x0000, 0x3FFF, 0x5000, 0x7FFF, 0xFFFF])
def test_a_channel_number_out_of_range_gets_400(ready, number):
    assert ready.channel_bind(number, (PEER4, 1000)).error == 400


@pytest.mark.parametrize("number", [0x4000, 0x4FFF])
def test_the_ends_of_the_channel_range_serve(ready, peer, number):
    ready.bind(number, peer.getsockname())
    ready.send_channel(number, b"edge")
    assert peer.recv(2048) == b"edge"


def test_a_channel_bind_without_number_or_peer_gets_400(ready):
    assert ready.channel_bind(None, (PEER4, 1000)).error == 400
    assert ready.channel_bind(0x4000, None).error == 400


def test_a_channel_bound_to_another_peer_gets_400(ready):
    ready.bind(0x4000, (PEER4, 1000))
    assert ready.channel_bind(0x4000, (PEER4, 1001)).error == 400
    assert ready.channel_bind(0x4000, (PEER4_OTHER, 1000)).error == 400


def test_a_peer_bound_to_another_channel_gets_400(ready):
    ready.bind(0x4000, (PEER4, 1000))
    assert ready.channel_bind(0x4001, (PEER4, 1000)).error == 400


def test_binding_again_refreshes(ready, peer):
    ready.bind(0x4000, peer.getsockname())
    ready.bind(0x4000, peer.getsockname())
    ready.send_channel(0x4000, b"still")
    assert peer.recv(2048) == b"still"


def test_a_retransmitted_channel_bind_is_answered_alike(ready):
    message = stun.Message(stun.CHANNEL_BIND).add(stun.CHANNEL_NUMBER, struct.pack("!HH", 0x4000, 0))
    data = ready.sign(message.add_xor_address(stun.XOR_PEER_ADDRESS, (PEER4, 1000)))
    assert ready.transact(data).is_success
    assert ready.transact(data).is_success


def test_a_peer_of_another_family_gets_443(ready):
    assert ready.create_permission(PEER6).error == 443
    assert ready.channel_bind(0x4000, (PEER6, 1000)).error == 443


def test_a_permission_for_nobody_gets_400(ready):
    assert ready.create_permission().error == 400


def test_a_malformed_peer_gets_400(ready):
    message = stun.Message(stun.CREATE_PERMISSION).add(stun.XOR_PEER_ADDRESS, b"\0\1\0\0")
    assert ready.request(message).error == 400


# One relayed address to another (hairpin)


@pytest.mark.parametrize("family", [4, 6])
def test_two_clients_reach_each_other_through_their_relayed_addresses(relay, client_of, family):
    one, two = client_of(4), client_of(6)
    one.allocate(family=family)
    two.allocate(family=family)
    one.permit(two.relayed)
    two.permit(one.relayed)
    one.send_indication(two.relayed, b"by indication")
    assert two.receive() == (None, one.relayed, b"by indication")
    two.bind(0x4001, one.relayed)
    two.send_channel(0x4001, b"by channel")
    assert one.receive() == (None, two.relayed, b"by channel")
    one.bind(0x4002, two.relayed)
    one.send_channel(0x4002, b"channel to channel")
    assert two.receive() == (0x4001, None, b"channel to channel")


def test_a_client_reaches_itself_through_its_relayed_address(client):
    client.allocate()
    client.bind(0x4000, client.relayed)
    client.send_channel(0x4000, b"echo")
    assert client.receive() == (0x4000, None, b"echo")


def test_the_hairpin_needs_permission_at_the_far_end(relay, client_of):
    one, two = client_of(), client_of()
    one.allocate()
    two.allocate()
    one.permit(two.relayed)
    one.send_indication(two.relayed, b"uninvited")
    assert two.receive(0.3) is None


def test_the_hairpin_reaches_no_dead_port(client):
    client.allocate()
    client.permit(client.relayed)
    client.send_indication((RELAY4, client.relayed[1] ^ 1), b"nobody")
    assert client.receive(0.3) is None


@pytest.mark.parametrize("host", [RELAY4, RELAY6])
def test_our_own_listening_port_is_no_peer(client, host):
    client.allocate(family=4 if host == RELAY4 else 6)
    assert client.channel_bind(0x4000, (host, PORT)).error == 403
    client.permit(host)
    client.send_indication((host, PORT), stun.Message(stun.BINDING).encode())
    assert client.receive(0.3) is None


def test_the_clients_own_host_can_be_its_peer(lab, client):
    client.allocate()
    client.permit(CLIENT[4])
    with lab.udp("client", CLIENT[4]) as other:
        client.send_indication(other.getsockname(), b"home")
        data, source = other.recvfrom(2048)
        assert (data, source) == (b"home", client.relayed)
