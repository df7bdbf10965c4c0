# SPDX-License-Identifier: BSD-3-Clause
"""A relay between two networks with a card in each: clients behind the one, peers behind the other."""

import re

import pytest

from client import Client
from guest import CARDS, GuestRelay
from lab import PEER, RELAY, RELAY_SIDE
from test_guest import CHANNEL, call
from test_two_ports import WIRES, Count, answers, echo

PEERS_CARD, CLIENTS_CARD = CARDS[1:3]
TWINS = ("twin0", "twin1")


@pytest.fixture(scope="module")
def kept_twins(guest):
    """TAPs that whoever manages the guest's network has made: they outlive relays."""
    for twin in TWINS:
        guest.run(f"tunctl -t {twin} && ip link set {twin} up")
    yield
    for twin in TWINS:
        guest.run(f"tunctl -d {twin}")


@pytest.fixture(scope="module")
def relay(guest, kept_twins):
    with guest.peers_behind(PEERS_CARD), GuestRelay(guest, CLIENTS_CARD, PEERS_CARD) as the_relay:
        yield the_relay


def check_calls(lab):
    for family in (4, 6):
        with Client(lab, family) as client:
            call(lab, client, family)


def test_calls_cross_from_card_to_card(lab, relay):
    check_calls(lab)


def test_media_goes_in_by_one_and_out_by_the_other(lab, relay):
    with Client(lab) as client, lab.udp("peer", PEER[4], timeout=5) as peer:
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
        count = Count(lab)
        echo(client, peer, 100)
        assert all(100 <= count[wire] < 140 for wire in WIRES), {wire: count[wire] for wire in WIRES}
        client.refresh(0)


@pytest.mark.parametrize("role, hosts", [("client", RELAY), ("peer", RELAY_SIDE)], ids=["clients_side", "peers_side"])
def test_the_kernel_answers_behind_either(lab, relay, role, hosts):
    for host in hosts.values():
        assert answers(lab, host, role=role)


def test_twins_that_outlive_a_relay_that_was_killed_are_the_next_ones(guest, lab, relay):
    assert relay.stop("KILL") == 128 + 9
    for twin, hosts in zip(TWINS, (RELAY, RELAY_SIDE), strict=True):
        assert guest.run(f"cat /sys/class/net/{twin}/carrier").strip() == "0"
        said = guest.run(f"ip address show dev {twin}")
        assert all(f" {host}/" in said for host in hosts.values()), said
    relay.start()
    assert len(re.findall(r" port_uses item=twin .*\bused=vhost-net\b", relay.log())) == 2
    check_calls(lab)
