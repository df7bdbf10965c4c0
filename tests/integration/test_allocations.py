# SPDX-License-Identifier: BSD-3-Clause
"""The life of an allocation: made, paired, doubled, refreshed, counted and gone (RFC 8656 sections 6-8)."""

import struct

import pytest

import stun
from lab import PEER4, PEER6, RELAY, RELAY4, RELAY6

EVEN = (stun.EVEN_PORT, b"\x00")
EVEN_AND_NEXT = (stun.EVEN_PORT, b"\x80")
ALSO_IPV6 = (stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0]))
ALSO_IPV4 = (stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV4, 0, 0, 0]))


def refusal(client, *attributes, **options):
    response = client.request(client.allocate_request(*attributes, **options))
    assert not response.is_success
    assert not response.has(stun.XOR_RELAYED_ADDRESS)
    return response.error


@pytest.mark.parametrize("client_family", [4, 6])
@pytest.mark.parametrize("relay_family", [4, 6])
def test_allocates_either_family_for_either_client(relay, client_of, client_family, relay_family):
    client = client_of(client_family)
    response = client.allocate(family=relay_family)
    assert client.relayed[0] == RELAY[relay_family]
    assert 49152 <= client.relayed[1] <= 65535
    assert len(response.all(stun.XOR_RELAYED_ADDRESS)) == 1
    assert response.xor_address(stun.XOR_MAPPED_ADDRESS) == client.address


def test_allocates_ipv4_when_no_family_is_asked_for(relay, client_of):
    client = client_of(6)
    client.allocate()
    assert client.relayed[0] == RELAY4


def test_ports_are_not_handed_out_in_order(relay, client_of):
    ports = []
    for _ in range(8):
        client = client_of()
        client.allocate()
        ports.append(client.relayed[1])
    assert len(set(ports)) == 8
    assert ports != sorted(ports) and ports != sorted(ports, reverse=True)


# What an Allocate must and must not say


def test_an_allocate_without_a_transport_gets_400(client):
    assert refusal(client, transport=None) == 400


def test_an_allocate_with_a_short_transport_gets_400(client):
    assert refusal(client, (stun.REQUESTED_TRANSPORT, b"\x11"), transport=None) == 400


@pytest.mark.parametrize("protocol", [6, 0, 255], ids=["tcp", "hopopt", "reserved"])
def test_a_transport_other_than_udp_gets_442(client, protocol):
    assert refusal(client, transport=protocol) == 442


@pytest.mark.parametrize("family", [0, 3, 255])
def test_an_unknown_family_gets_440(client, family):
    assert refusal(client, (stun.REQUESTED_ADDRESS_FAMILY, bytes([family, 0, 0, 0]))) == 440


def test_both_family_attributes_get_400(client):
    assert refusal(client, ALSO_IPV6, family=4) == 400


def test_an_additional_ipv4_gets_400(client):
    assert refusal(client, ALSO_IPV4) == 400


@pytest.mark.parametrize(
    "other", [EVEN, ALSO_IPV6, (stun.REQUESTED_ADDRESS_FAMILY, bytes([1, 0, 0, 0]))], ids=["even", "also", "family"]
)
def test_a_reservation_token_beside_what_it_settles_gets_400(client, other):
    assert refusal(client, (stun.RESERVATION_TOKEN, bytes(8)), other) == 400


def test_an_unknown_reservation_token_gets_508(client):
    assert refusal(client, (stun.RESERVATION_TOKEN, b"lookglas")) == 508


def test_a_reservation_beside_an_additional_family_gets_400(client):
    assert refusal(client, EVEN_AND_NEXT, ALSO_IPV6) == 400


def test_a_second_allocate_on_the_same_5_tuple_gets_437(client):
    client.allocate()
    assert refusal(client) == 437


def test_a_retransmitted_allocate_is_answered_alike(client):
    client.discover()
    data = client.sign(client.allocate_request())
    first, second = client.transact(data), client.transact(data)
    assert first.is_success and second.is_success
    assert first.xor_address(stun.XOR_RELAYED_ADDRESS) == second.xor_address(stun.XOR_RELAYED_ADDRESS)
    client.relayed = first.xor_address(stun.XOR_RELAYED_ADDRESS)
    assert refusal(client) == 437


# Pairs of ports


def test_an_even_port_is_even(relay, client_of):
    for _ in range(4):
        client = client_of()
        client.allocate(EVEN)
        assert client.relayed[1] % 2 == 0


@pytest.mark.parametrize("family", [4, 6])
def test_a_reservation_gives_the_next_port_to_whoever_has_the_token(relay, client_of, family):
    first, second = client_of(), client_of(6)
    token = first.allocate(EVEN_AND_NEXT, family=family).get(stun.RESERVATION_TOKEN)
    assert len(token) == 8
    second.allocate((stun.RESERVATION_TOKEN, token))
    assert second.relayed == (first.relayed[0], first.relayed[1] + 1)
    third = client_of()
    assert refusal(third, (stun.RESERVATION_TOKEN, token)) == 508


def test_a_retransmitted_reservation_repeats_its_token(client):
    client.discover()
    data = client.sign(client.allocate_request(EVEN_AND_NEXT))
    first, second = client.transact(data), client.transact(data)
    client.relayed = first.xor_address(stun.XOR_RELAYED_ADDRESS)
    assert first.get(stun.RESERVATION_TOKEN) == second.get(stun.RESERVATION_TOKEN) is not None


# Both families at once


def test_a_dual_allocation_has_an_address_of_each_family(client):
    response = client.allocate(ALSO_IPV6)
    addresses = [
        stun.decode_address(value, response.transaction_id) for value in response.all(stun.XOR_RELAYED_ADDRESS)
    ]
    assert [host for host, _ in addresses] == [RELAY4, RELAY6]


def test_a_dual_allocation_takes_peers_of_both_families(client):
    client.allocate(ALSO_IPV6)
    client.permit(PEER4, PEER6)
    client.bind(0x4000, (PEER4, 1000))
    client.bind(0x4001, (PEER6, 1000))


def test_one_family_of_a_dual_allocation_can_be_given_up(client):
    client.allocate(ALSO_IPV6)
    assert client.refresh(0, family=6).is_success
    assert client.create_permission(PEER6).error == 443
    assert client.create_permission(PEER4).is_success
    assert client.refresh(600, family=6).error == 443
    assert client.refresh(600, family=4).is_success


def test_a_refresh_to_zero_ends_the_allocation(client):
    client.allocate()
    assert client.refresh(0).is_success
    assert client.refresh(600).error == 437
    assert client.create_permission(PEER4).error == 437
    client.allocate()


def test_a_refresh_without_an_allocation_gets_437(client):
    assert client.refresh(600).error == 437


def test_a_channel_without_an_allocation_gets_437(client):
    assert client.channel_bind(0x4000, (PEER4, 1000)).error == 437


@pytest.mark.parametrize("family", [4, 6])
def test_a_refresh_of_the_other_family_gets_443(client, family):
    client.allocate(family=family)
    assert client.refresh(600, family=10 - family).error == 443
    assert client.refresh(600, family=family).is_success


def test_another_user_on_the_same_5_tuple_gets_441(client):
    client.allocate()
    client.username, client.password = "bob", "builder"
    assert client.refresh(600).error == 441
    assert client.create_permission(PEER4).error == 441
    assert client.channel_bind(0x4000, (PEER4, 1000)).error == 441
    client.username, client.password = "alice", "wonderland"
    assert client.refresh(600).is_success


def test_a_lifetime_of_wrong_length_gets_400(client):
    assert refusal(client, (stun.LIFETIME, struct.pack("!H", 600))) == 400
