# SPDX-License-Identifier: BSD-3-Clause
"""IP headers as they leave the relay, and odd ones as they come in: what sections 13, 14 and 11.5 of RFC 8656 say,
observed on the wire."""

import contextlib
import itertools
import socket

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.packet import Raw

import stun
from flow import CHANNEL, Flow, fragments_of, icmp_error, icmp_indication, other
from lab import CLIENT, PEER, PEER4, RELAY4

COMBINATIONS = [
    pytest.param(c, r, id=f"client_ipv{c}_peer_ipv{r}") for c, r in itertools.product((4, 6), repeat=2)
]
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2


def hops(packet):
    return packet.ttl if IP in packet else packet.hlim


def traffic_class(packet):
    return packet.tos if IP in packet else packet.tc


def class_field(family, value):
    return {"tos": value} if family == 4 else {"tc": value}


def hop_field(family, value):
    return {"ttl": value} if family == 4 else {"hlim": value}


@pytest.fixture
def flow_of(lab, relay, client_of):
    with contextlib.ExitStack() as stack:
        yield lambda *families: Flow(stack, lab, client_of, *families)


# DSCP, ECN, TTL: copied, copied, counted down


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_dscp_and_ecn_cross_unchanged(flow_of, client_family, relay_family, sender):
    flow = flow_of(client_family, relay_family)
    for value in (0x00, 0xB8, 0xB9, 0x8A, 0x03):
        packet = flow.packet(sender, b"marked", **class_field(flow.families[sender], value))
        flow.inject(sender, packet)
        assert traffic_class(flow.seen(other(sender))) == value
        assert flow.arrived(other(sender)) == b"marked"


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_the_hop_limit_counts_down(flow_of, client_family, relay_family, sender):
    flow = flow_of(client_family, relay_family)
    flow.inject(sender, flow.packet(sender, b"counted", **hop_field(flow.families[sender], 40)))
    # The lab's router on each side of the relay takes one, the relay one.
    assert hops(flow.seen(other(sender))) == 37


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_a_used_up_hop_limit_goes_no_further(flow_of, sender):
    flow = flow_of()
    flow.inject(sender, flow.packet(sender, b"tired", ttl=2))
    assert flow.arrived(other(sender), 0.3) is None
    flow.inject(sender, flow.packet(sender, b"fresh", ttl=4))
    assert flow.arrived(other(sender)) == b"fresh"


def test_the_hop_limit_counts_down_through_the_hairpin(flow_of, client_of):
    flow = flow_of()
    end = client_of()
    end.allocate()
    flow.client.bind(0x4001, end.relayed)
    end.permit(flow.client.relayed)
    packet = flow.ip("client", ttl=40) / flow.udp("client") / Raw(stun.channel_data(0x4001, b"round"))
    flow.inject("client", packet)
    seen = flow.seen("client")
    assert seen.dport == end.address[1]
    # Sent to a peer and received from one: two crossings of the relay.
    assert hops(seen) in (36, 37)
    assert end.receive()[2] == b"round"


# Don't fragment (section 14)


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("flag", ["DF", 0])
def test_the_df_bit_crosses_unchanged(flow_of, sender, flag):
    flow = flow_of()
    flow.inject(sender, flow.packet(sender, b"whole", flags=flag))
    assert bool(flow.seen(other(sender)).flags.DF) == (flag == "DF")


def test_dont_fragment_sets_the_df_bit(flow_of):
    flow = flow_of()
    flow.client.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    flow.client.send_indication(flow.peer_address, b"may be cut")
    assert not flow.seen("peer").flags.DF
    flow.client.send_indication(flow.peer_address, b"must not be", (stun.DONT_FRAGMENT, b""))
    assert flow.seen("peer").flags.DF


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_an_absent_ipv4_checksum_stays_absent(flow_of, sender):
    flow = flow_of()
    packet = flow.packet(sender, b"unprotected")
    packet[UDP].chksum = 0
    flow.inject(sender, packet)
    assert flow.seen(other(sender))[UDP].chksum == 0
    assert flow.arrived(other(sender)) == b"unprotected"


def test_a_checksum_is_made_where_ipv6_needs_one(flow_of):
    flow = flow_of(4, 6)
    packet = flow.packet("client", b"to be protected")
    packet[UDP].chksum = 0
    flow.inject("client", packet)
    assert flow.seen("peer")[UDP].chksum != 0
    assert flow.arrived("peer") == b"to be protected"


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_a_payload_damaged_on_the_way_does_not_become_right(flow_of, client_family, relay_family, sender):
    # The checksum is adjusted or verified, never made anew over bytes that nobody vouched for.
    flow = flow_of(client_family, relay_family)
    data = bytearray(bytes(flow.packet(sender, b"intact payload")))
    data[-1] ^= 0xFF
    flow.inject(sender, (IP if flow.families[sender] == 4 else IPv6)(bytes(data)))
    assert flow.arrived(other(sender), 0.3) is None


# Options and extension headers: accepted on the way in, none on the way out


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_ipv4_options_are_left_behind(flow_of, sender):
    flow = flow_of()
    flow.inject(sender, flow.packet(sender, b"options", options=[IPOption_NOP()] * 4))
    assert flow.seen(other(sender)).options == []
    assert flow.arrived(other(sender)) == b"options"
    flow.inject(sender, flow.packet(sender, b"alert", options=[IPOption_Router_Alert()]))
    assert flow.arrived(other(sender)) == b"alert"


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("header", [IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop], ids=["destination", "hop_by_hop"])
def test_ipv6_extension_headers_are_left_behind(flow_of, sender, header):
    flow = flow_of(6, 6)
    packet = flow.ip(sender) / header() / flow.udp(sender) / Raw(flow.payload(sender, b"extended"))
    flow.inject(sender, packet)
    assert flow.seen(other(sender)).nh == socket.IPPROTO_UDP
    assert flow.arrived(other(sender)) == b"extended"


def test_the_ipv6_flow_label_is_not_copied(flow_of):
    flow = flow_of(6, 6)
    flow.inject("client", flow.packet("client", b"labelled", fl=0x12345))
    assert flow.seen("peer").fl != 0x12345


# Fragments


@pytest.mark.parametrize("order", ["in_order", "reversed"])
@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_fragments_are_put_together(flow_of, client_family, relay_family, sender, order):
    flow = flow_of(client_family, relay_family)
    data = bytes(i * 7 & 0xFF for i in range(1200))
    packet = flow.packet(sender, data)
    if flow.families[sender] == 4:
        packet.flags = 0
        packet.id = 4711
    pieces = fragments_of(type(packet)(bytes(packet)), 400)
    assert len(pieces) > 2
    for piece in pieces if order == "in_order" else reversed(pieces):
        flow.inject(sender, piece)
    assert flow.arrived(other(sender)) == data


# Cut up by the sender's kernel.
LARGE = [
    pytest.param(
        *families,
        sender,
        id=f"client_ipv{families[0]}_peer_ipv{families[1]}-{sender}",
        marks=[pytest.mark.ipv4_fragments] * (family_of_sender == 4),
    )
    for families in itertools.product((4, 6), repeat=2)
    for sender, family_of_sender in zip(("client", "peer"), families)
]


@pytest.mark.parametrize("client_family, relay_family, sender", LARGE)
def test_a_datagram_larger_than_the_mtu_crosses_in_fragments(flow_of, client_family, relay_family, sender):
    flow = flow_of(client_family, relay_family)
    data = bytes(i * 13 & 0xFF for i in range(3000))
    if sender == "client":
        if client_family == 4:
            flow.client.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        flow.client.send_channel(CHANNEL, data)
    else:
        if relay_family == 4:
            flow.peer.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        flow.peer.sendto(data, flow.client.relayed)
    assert flow.arrived(other(sender)) == data


def test_the_four_bytes_of_a_channel_may_make_it_too_long_for_one_packet(flow_of):
    # A peer's full-size datagram without DF grows by the ChannelData header and leaves as two fragments.
    flow = flow_of()
    flow.peer.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    data = bytes(1472)
    flow.peer.sendto(data, flow.client.relayed)
    assert flow.arrived("client") == data


# What the relay cannot forward, it answers as a router does (section 13)


@pytest.fixture
def forget_path_mtu(lab):
    """The peer's kernel learns from such an error too, and would send no more packets of that size."""
    yield lambda: lab.run("peer", "sh", "-c", "ip route flush cache; ip -6 route flush cache")
    lab.run("peer", "sh", "-c", "ip route flush cache; ip -6 route flush cache")


@pytest.mark.parametrize("family, headers", [(4, 28), (6, 48)])
def test_what_is_too_long_by_the_channel_header_is_answered_with_the_mtu(flow_of, forget_path_mtu, family, headers):
    flow = flow_of(family, family)
    fields = {"flags": "DF"} if family == 4 else {}
    flow.inject("peer", flow.packet("peer", bytes(1500 - headers), **fields))
    kind, code, mtu = icmp_error(flow, "peer")
    assert (kind, code) == ((3, 4) if family == 4 else (2, 0))
    # Room for the ChannelData header at least, for a Data indication at most.
    assert 1500 - 48 <= mtu <= 1500 - 4
    assert flow.arrived("client", 0.3) is None
    forget_path_mtu()
    flow.inject("peer", flow.packet("peer", bytes(mtu - headers), **fields))
    assert flow.arrived("client") == bytes(mtu - headers)


@pytest.mark.parametrize("sender", ["client", "peer"])
@pytest.mark.parametrize("family", [4, 6])
def test_a_used_up_hop_limit_is_answered(flow_of, family, sender):
    flow = flow_of(family, family)
    flow.inject(sender, flow.packet(sender, b"tired", **hop_field(family, 2)))
    assert icmp_error(flow, sender)[:2] == ((11, 0) if family == 4 else (3, 0))


# ICMP errors become Data indications (section 11.5)


@pytest.mark.parametrize("client_family, relay_family", COMBINATIONS)
def test_a_closed_peer_port_is_told_to_the_client(flow_of, client_family, relay_family):
    flow = flow_of(client_family, relay_family)
    closed = (PEER[relay_family], 9)
    flow.client.send_indication(closed, b"anyone there?")
    # ICMPv4: destination unreachable, port unreachable; ICMPv6: the same by other numbers.
    assert icmp_indication(flow.client) == (closed, (3, 3, 0) if relay_family == 4 else (1, 4, 0))


def test_a_narrow_path_is_told_to_the_client_with_its_mtu(flow_of, lab):
    flow = flow_of()
    lab.run("core", "ip", "link", "set", "peer", "mtu", 1400)
    try:
        packet = flow.packet("client", bytes(1440), flags="DF")
        flow.inject("client", packet)
        assert icmp_indication(flow.client) == (flow.peer_address, (3, 4, 1400))
    finally:
        lab.run("core", "ip", "link", "set", "peer", "mtu", 1500)


def test_a_narrow_ipv6_path_is_told_to_the_client_with_its_mtu(flow_of, lab):
    flow = flow_of(6, 6)
    lab.run("core", "ip", "link", "set", "peer", "mtu", 1400)
    try:
        flow.inject("client", flow.packet("client", bytes(1420)))
        assert icmp_indication(flow.client) == (flow.peer_address, (2, 0, 1400))
    finally:
        lab.run("core", "ip", "link", "set", "peer", "mtu", 1500)


def unreachable(source, inner):
    return IP(src=source, dst=RELAY4) / ICMP(type=3, code=1) / inner


def test_an_error_about_an_address_without_permission_is_dropped(flow_of):
    flow = flow_of()
    inner = IP(src=RELAY4, dst="203.0.113.99") / UDP(sport=flow.client.relayed[1], dport=9) / Raw(b"x" * 8)
    flow.inject("peer", unreachable(PEER4, inner))
    assert flow.client.receive_bytes(0.3) is None


def test_an_error_from_a_router_on_the_way_is_told(flow_of):
    flow = flow_of()
    inner = IP(src=RELAY4, dst=PEER4) / UDP(sport=flow.client.relayed[1], dport=9) / Raw(b"x" * 8)
    # The core is the router: its own address is not one of the permissions, the inner destination is.
    flow.inject("core", unreachable("192.0.2.254", inner))
    assert icmp_indication(flow.client) == ((PEER4, 9), (3, 1, 0))


def test_other_icmp_about_a_relayed_address_is_dropped(flow_of):
    flow = flow_of()
    inner = IP(src=RELAY4, dst=PEER4) / UDP(sport=flow.client.relayed[1], dport=9) / Raw(b"x" * 8)
    flow.inject("peer", IP(src=PEER4, dst=RELAY4) / ICMP(type=4, code=0) / inner)
    flow.inject("peer", IP(src=PEER4, dst=RELAY4) / ICMP(type=8) / inner)
    assert flow.client.receive_bytes(0.3) is None


@pytest.mark.parametrize("family", [4, 6])
def test_both_ends_see_the_addresses_that_they_were_told(flow_of, family):
    flow = flow_of(family, family)
    flow.client.send_channel(CHANNEL, b"out")
    seen = flow.seen("peer")
    assert (seen.src, seen.sport, seen.dst) == (*flow.client.relayed, PEER[family])
    flow.peer.sendto(b"in", flow.client.relayed)
    seen = flow.seen("client")
    assert (seen.src, seen.sport, seen.dst) == (*flow.client.server, CLIENT[family])
