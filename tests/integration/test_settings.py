# SPDX-License-Identifier: BSD-3-Clause
"""What settings change: each test has a relay of its own."""

import time

import pytest

import stun
from lab import PEER4, RELAY4, RELAY6
from relay import PORT, Relay

EVEN_AND_NEXT = (stun.EVEN_PORT, b"\x80")
ALSO_IPV6 = (stun.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0]))


@pytest.fixture
def relay_with(lab, tmp_path):
    """relay_with(setting=value, ...) starts it, for this test."""
    relays = []

    def start(**settings):
        relays.append(Relay(lab, tmp_path, **settings))
        relays[0].start()

    yield start
    for relay in relays:
        assert relay.process is None or relay.stop() == 0


def refused(client, *attributes, **options):
    """The error code that an Allocate is refused with."""
    response = client.request(client.allocate_request(*attributes, **options))
    assert not response.is_success
    return response.error


# Addresses and ports


def test_a_reserved_port_is_nobodys_meanwhile(relay_with, client_of):
    # Four ports in all, two of them given and two reserved: the range is full.
    relay_with(relay=[{"address": RELAY4, "min_port": 50000, "max_port": 50003}])
    first, second, third = client_of(), client_of(), client_of()
    token = first.allocate(EVEN_AND_NEXT).get(stun.RESERVATION_TOKEN)
    second.allocate(EVEN_AND_NEXT)
    assert refused(third) == 508
    third.allocate((stun.RESERVATION_TOKEN, token))


def test_a_relay_without_ipv6_gives_what_it_has(relay_with, client_of):
    relay_with(relay=[{"address": RELAY4}])
    client = client_of()
    response = client.allocate(ALSO_IPV6)
    assert client.relayed[0] == RELAY4
    value = response.get(stun.ADDRESS_ERROR_CODE)
    assert (value[0], value[2] * 100 + value[3]) == (stun.IPV6, 440)
    other = client_of()
    assert refused(other, family=6) == 440


def test_a_relay_without_ipv4_refuses_what_does_not_ask_for_ipv6(relay_with, client_of):
    relay_with(relay=[{"address": RELAY6}])
    client = client_of()
    assert refused(client) == 440
    client.allocate(family=6)


# Refresh


def test_lifetimes_stay_within_their_bounds(relay_with, client_of):
    relay_with(default_lifetime=600, max_lifetime=3600)
    client = client_of()
    assert client.allocate(lifetime=60).u32(stun.LIFETIME) == 600
    assert client.refresh(10).u32(stun.LIFETIME) == 600
    assert client.refresh(1234).u32(stun.LIFETIME) == 1234
    assert client.refresh(100000).u32(stun.LIFETIME) == 3600
    assert client.refresh().u32(stun.LIFETIME) == 600
    assert client.refresh(0).u32(stun.LIFETIME) == 0


def test_an_allocation_ends_by_itself(lab, relay_with, client_of):
    relay_with(default_lifetime=2, max_lifetime=2)
    client = client_of()
    assert client.allocate().u32(stun.LIFETIME) <= 2
    client.permit(PEER4)
    with lab.udp("peer", PEER4) as peer:
        client.send_indication(peer.getsockname(), b"in time")
        assert peer.recv(2048) == b"in time"
        time.sleep(3.5)
        peer.settimeout(0.3)
        client.send_indication(peer.getsockname(), b"too late")
        with pytest.raises(TimeoutError):
            peer.recv(2048)
    assert client.refresh(600).error == 437


# Quotas and capacity


def test_more_than_a_users_quota_gets_486(relay_with, client_of):
    relay_with(user_quota=2)
    first, second, third, bob = client_of(), client_of(), client_of(), client_of(username="bob", password="builder")
    first.allocate()
    second.allocate()
    assert refused(third) == 486
    bob.allocate()
    first.refresh(0)
    third.allocate()


def test_more_than_the_total_quota_is_refused(relay_with, client_of):
    relay_with(total_quota=1)
    first, second = client_of(), client_of(username="bob", password="builder")
    first.allocate()
    assert refused(second) == 486
    first.refresh(0)
    # The worker gives the entry back a moment later.
    time.sleep(0.2)
    second.allocate()


def test_no_port_left_gets_508_until_one_is_free(relay_with, client_of):
    relay_with(relay=[{"address": RELAY4, "min_port": 50000, "max_port": 50001}])
    first, second, third = client_of(), client_of(), client_of()
    first.allocate()
    second.allocate()
    assert {first.relayed[1], second.relayed[1]} == {50000, 50001}
    assert refused(third) == 508
    first.refresh(0)
    time.sleep(0.2)
    third.allocate()
    assert third.relayed[1] == first.relayed[1]


def test_more_permissions_than_configured_get_508(relay_with, client_of):
    relay_with(permissions_per_allocation=2)
    client = client_of()
    client.allocate()
    client.permit("203.0.113.10", "203.0.113.11")
    assert client.create_permission("203.0.113.12").error == 508
    assert client.create_permission("203.0.113.10").is_success


def test_more_channels_than_configured_get_508(relay_with, client_of):
    relay_with(channels_per_allocation=2)
    client = client_of()
    client.allocate()
    client.bind(0x4000, (PEER4, 1000))
    client.bind(0x4001, (PEER4, 1001))
    assert client.channel_bind(0x4002, (PEER4, 1002)).error == 508
    assert client.channel_bind(0x4001, (PEER4, 1001)).is_success


def test_a_deny_rule_inside_an_allowed_range_wins(relay_with, client_of):
    relay_with(deny_peer=["203.0.113.3/32"])
    client = client_of()
    client.allocate()
    assert client.create_permission("203.0.113.3").error == 403
    assert client.create_permission(PEER4).is_success


def test_nothing_special_is_open_without_a_rule(relay_with, client_of):
    relay_with(allow_peer=[])
    client = client_of()
    client.allocate()
    for host in (PEER4, "198.51.100.2", "8.8.8.8"):
        assert (host, client.create_permission(host).error) == (host, 0 if host == "8.8.8.8" else 403)


# An address that the world knows differently (1:1 NAT)


def test_an_external_address_is_what_clients_are_told(lab, relay_with, client_of):
    external = "192.0.2.77"
    # The NAT: the core knows the relay's host by the external address, and translates it.
    rules = f"""
    add table ip one_to_one
    add chain ip one_to_one inward {{ type nat hook prerouting priority dstnat ; }}
    add chain ip one_to_one outward {{ type nat hook postrouting priority srcnat ; }}
    add rule ip one_to_one inward ip daddr {external} udp dport 49152-65535 dnat to {RELAY4}
    add rule ip one_to_one outward ip saddr {RELAY4} udp sport 49152-65535 snat to {external}
    """
    lab.run("core", "nft", "-f", "-", input=rules)
    try:
        relay_with(relay=[{"address": RELAY4, "external_address": external}])
        one, two = client_of(), client_of()
        one.allocate()
        two.allocate()
        assert one.relayed[0] == two.relayed[0] == external
        one.permit(PEER4, external)
        two.permit(external)
        with lab.udp("peer", PEER4) as peer:
            one.send_indication(peer.getsockname(), b"out")
            data, source = peer.recvfrom(2048)
            assert (data, source) == (b"out", one.relayed)
            peer.sendto(b"in", one.relayed)
            assert one.receive() == (None, peer.getsockname(), b"in")
        one.send_indication(two.relayed, b"across")
        assert two.receive() == (None, one.relayed, b"across")
    finally:
        lab.run("core", "nft", "delete table ip one_to_one")


# Of each: the local address, what the world knows it as, and the ports, those of two touching.
MAPPED = {
    "192.0.2.11": ("192.0.2.71", 50000, 50063),
    "192.0.2.12": ("192.0.2.72", 50064, 50127),
    "192.0.2.13": ("192.0.2.13", 40000, 40063),
}


@pytest.fixture
def mapped(lab):
    """These addresses on the relay's host, and a core that translates two of them, one to one."""
    rules = """
    add table ip one_to_one
    add chain ip one_to_one inward { type nat hook prerouting priority dstnat ; }
    add chain ip one_to_one outward { type nat hook postrouting priority srcnat ; }
    """
    for local, (external, _, _) in MAPPED.items():
        lab.run("relay", "ip", "address", "add", f"{local}/32", "dev", lab.interface)
        if external != local:
            lab.run("core", "ip", "neigh", "flush", "to", local)
            rules += f"add rule ip one_to_one inward ip daddr {external} udp dport 1024-65535 dnat to {local}\n"
            rules += f"add rule ip one_to_one outward ip saddr {local} udp sport 1024-65535 snat to {external}\n"
    lab.run("core", "nft", "-f", "-", input=rules)
    try:
        yield [
            {"address": local, "min_port": first, "max_port": last}
            | ({"external_address": external} if external != local else {})
            for local, (external, first, last) in MAPPED.items()
        ]
    finally:
        lab.run("core", "nft", "delete table ip one_to_one")
        for local in MAPPED:
            lab.run("relay", "ip", "address", "delete", f"{local}/32", "dev", lab.interface)


def test_each_address_has_ports_and_an_external_address_of_its_own(lab, relay_with, client_of, mapped):
    relay_with(listen=[{"address": RELAY4}], relay=[*mapped, {"address": RELAY6}])
    clients = {}
    for _ in range(30):
        client = client_of()
        client.allocate()
        clients.setdefault(client.relayed[0], client)
        first, last = next(ports for external, *ports in MAPPED.values() if external == client.relayed[0])
        assert first <= client.relayed[1] <= last
    # Evenly: that one of the three is not among 30 is one chance in 60,000.
    assert set(clients) == {external for external, _, _ in MAPPED.values()}
    with lab.udp("peer", PEER4) as peer:
        for number, client in enumerate(clients.values(), 0x4000):
            client.permit(PEER4, *clients)
            client.bind(number, peer.getsockname())
            client.send_channel(number, b"out")
            assert peer.recvfrom(2048) == (b"out", client.relayed)
            peer.sendto(b"in", client.relayed)
            assert client.receive() == (number, None, b"in")
    for one in clients.values():
        for two in clients.values():
            one.send_indication(two.relayed, b"across")
            assert two.receive() == (None, one.relayed, b"across")
    # The host's own services live beside: a port of another address' range is the kernel's here.
    with lab.udp("relay", "192.0.2.13", 50000) as service, lab.udp("peer", PEER4) as peer:
        peer.sendto(b"for the host", ("192.0.2.13", 50000))
        assert service.recv(2048) == b"for the host"


def test_ports_of_all_addresses_are_reserved_and_given_back(lab, mapped, tmp_path):
    def reserved():
        return lab.run("relay", "sysctl", "-n", "net.ipv4.ip_local_reserved_ports").stdout.strip()

    before = reserved()
    lab.run("relay", "sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=40063-40070")
    try:
        with Relay(lab, tmp_path, listen=[{"address": RELAY4}], relay=mapped):
            assert reserved() == "40000-40070,50000-50127"
        assert reserved() == "40063-40070"
    finally:
        lab.run("relay", "sysctl", "-qw", f"net.ipv4.ip_local_reserved_ports={before}")


def test_hashed_usernames_are_offered_and_accepted(relay_with, client_of):
    # Not beside time-limited credentials, whose names the server cannot know beforehand.
    relay_with(userhash=True, static_auth_secrets=[])
    for algorithm in (stun.MD5, stun.SHA256):
        client = client_of(algorithm=algorithm, anonymous=True)
        assert stun.nonce_features(client.discover().get(stun.NONCE)) & stun.FEATURE_USERNAME_ANONYMITY
        client.allocate()
    stranger = client_of(algorithm=stun.SHA256, username="mallory", anonymous=True)
    assert stranger.request(stranger.allocate_request()).error == 401


def test_a_nonce_grows_stale_and_the_new_one_serves(relay_with, client_of):
    relay_with(nonce_lifetime=1)
    client = client_of()
    client.allocate()
    time.sleep(2.5)
    response = client.transact(client.sign(stun.Message(stun.REFRESH)))
    assert response.error == 438
    client.learn(response)
    assert client.transact(client.sign(stun.Message(stun.REFRESH))).is_success


# Strangers are answered within limits


def test_answers_to_strangers_are_limited_by_prefix(lab, relay_with, client_of):
    relay_with(unauthenticated_rate=10, unauthenticated_burst=20)
    client = client_of()
    requests = [client.allocate_request().encode() for _ in range(200)]
    for data in requests:
        client.send_bytes(data)
    answers = 0
    while client.receive_bytes(0.3) is not None:
        answers += 1
    assert 1 <= answers <= 60
    # Another prefix has a limit of its own.
    with lab.udp("peer", PEER4) as stranger:
        stranger.sendto(requests[0], (RELAY4, PORT))
        assert stun.decode(stranger.recv(2048)).error == 401


def test_channel_numbers_of_rfc_5766_serve_where_they_are_let_in(relay_with, lab, client_of):
    relay_with(rfc5766_channels=True)
    client = client_of()
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(0x7FFF, peer.getsockname())
        client.send_channel(0x7FFF, b"high")
        assert peer.recvfrom(2048) == (b"high", client.relayed)
        peer.sendto(b"and back", client.relayed)
        assert client.receive() == (0x7FFF, None, b"and back")
    assert client.channel_bind(0x8000, (PEER4, 1000)).error == 400


def test_what_is_above_an_allocations_bandwidth_is_dropped(lab, relay_with, client_of):
    relay_with(max_bps=1000)
    client = client_of()
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(0x4000, peer.getsockname()[:2])
        for count in range(400):
            client.send_channel(0x4000, b"%04d" % count + bytes(996))
        peer.settimeout(1.0)
        arrived = []
        try:
            while True:
                arrived.append(int(peer.recv(2000)[:4]))
        except TimeoutError:
            pass
    # 128 KiB may come at once.
    assert 120 <= len(arrived) <= 135
    assert arrived == list(range(len(arrived)))
