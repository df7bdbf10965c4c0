# SPDX-License-Identifier: BSD-3-Clause
"""What routers say of the ways to peers and clients (RFC 8656 section 11.5, RFC 1191, RFC 8201): clients of every
transport are told of their peers', and the relay goes by both."""

import contextlib

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import stun
import telemetry
from flow import Flow, drain, fragments_of, icmp_error, icmp_indication
from lab import CLIENT, GATEWAY, PEER, RELAY
from logs import wait_for
from relay import PORT, Relay
from streams import DtlsClient, StreamClient

NARROW = 1400
HEADERS = {4: 20 + 8, 6: 40 + 8}
TOO_BIG = {4: (3, 4), 6: (2, 0)}


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    with Relay(lab, tmp_path_factory.mktemp("relay"), certificates=[authority.issue("ecdsa")]) as the_relay:
        yield the_relay


@pytest.fixture
def flow_of(lab, relay, client_of):
    with contextlib.ExitStack() as stack:
        yield lambda family: Flow(stack, lab, client_of, family, family)


@pytest.fixture(params=["tcp", "tls", "dtls"])
def connected_of(request, lab, relay, authority):
    """Clients with a connection, over each transport."""
    with contextlib.ExitStack() as stack:
        if request.param == "dtls":
            yield lambda family: stack.enter_context(DtlsClient(lab, authority, family))
        else:
            context = authority.context() if request.param == "tls" else None
            yield lambda family: stack.enter_context(StreamClient(lab, family, context=context))


@contextlib.contextmanager
def narrow_path(lab, role="peer"):
    """The last link to that host."""
    lab.run("core", "ip", "link", "set", role, "mtu", NARROW)
    try:
        yield
    finally:
        lab.run("core", "ip", "link", "set", role, "mtu", 1500)


def inject_whole(flow, length, role="client", to=RELAY):
    """A packet to the relay whose data make one of that length to the peer, whatever the sender's kernel has been told:
    four bytes more of the client's, and of the peer's four less than the client gets."""
    packet = whole(flow, length, role)
    packet.dst = to[flow.families[role]]
    flow.lab.run(role, "sh", "-c", "ip route flush cache; ip -6 route flush cache")
    flow.inject(role, packet)


def whole(flow, length, role="client"):
    """Such a packet, not to be cut up on any way."""
    family = flow.families[role]
    return flow.packet(role, bytes(length - HEADERS[family]), **({"flags": "DF"} if family == 4 else {}))


def learn(lab, flow):
    """The path is narrow for one packet only: what happens from now on is the relay's doing."""
    family = flow.families["peer"]
    with narrow_path(lab):
        inject_whole(flow, 1440)
        assert icmp_indication(flow.client) == (flow.peer_address, (*TOO_BIG[family], NARROW))


def assert_heeds_only_the_true_one(flow, arrives, forged, true):
    """arrives: whether a packet of the flow does, of that length."""
    for what, packet in forged.items():
        flow.inject("core", packet)
        assert arrives(flow, 1440), what
    flow.inject("core", true)
    assert not arrives(flow, 1440)


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_too_long_for_the_path_is_answered_by_the_relay(lab, flow_of, family):
    flow, other_flow = flow_of(family), flow_of(family)
    learn(lab, flow)
    inject_whole(flow, NARROW + 1)
    assert icmp_error(flow, "client") == (*TOO_BIG[family], NARROW)
    assert flow.arrived("peer", 0.2) is None
    inject_whole(flow, NARROW)
    assert flow.arrived("peer") == bytes(NARROW - HEADERS[family])
    # Whoever made the router say so has done it to themselves alone.
    inject_whole(other_flow, 1440)
    assert other_flow.arrived("peer") == bytes(1440 - HEADERS[family])


@pytest.mark.parametrize("family", [4, 6])
def test_what_may_be_cut_is_cut_to_the_path(lab, flow_of, family):
    flow = flow_of(family)
    learn(lab, flow)
    data = bytes(i * 13 & 0xFF for i in range(1430))
    packet = flow.packet("client", data)
    if family == 4:
        packet.flags, packet.id = 0, 4711
    pieces = fragments_of(type(packet)(bytes(packet)), 1200)
    with lab.sniffer("core", lab.from_relay_to_peers) as sniffer:
        drain(sniffer)
        flow.inject("client", *pieces)
        assert flow.arrived("peer") == data
        lengths = from_relay(sniffer, family)
    longest = NARROW if family == 4 else 1280
    assert len(lengths) == 2 and longest - 8 < max(lengths) <= longest


def from_relay(sniffer, family):
    """Of the IP packets to the peer that have come by: how long they are."""
    sniffer.settimeout(0.2)
    lengths = []
    with contextlib.suppress(TimeoutError):
        while True:
            packet = Ether(sniffer.recv(65536)).getlayer(IP if family == 4 else IPv6)
            if packet is not None and (packet.src, packet.dst) == (RELAY[family], PEER[family]):
                lengths.append(len(packet))
    return lengths


@pytest.mark.parametrize("family", [4, 6])
def test_who_sends_with_df_over_a_connection_is_told(lab, authority, relay, family):
    with StreamClient(lab, family) as client, lab.udp("peer", PEER[family]) as peer:
        address = peer.getsockname()[:2]
        client.allocate(family=family)
        client.permit(PEER[family])
        with narrow_path(lab):
            client.send_indication(address, bytes(1440 - HEADERS[family]), (stun.DONT_FRAGMENT, b""))
            assert icmp_indication(client) == (address, (*TOO_BIG[family], NARROW))
        # The relay says it now.
        client.send_indication(address, bytes(NARROW + 1 - HEADERS[family]), (stun.DONT_FRAGMENT, b""))
        assert icmp_indication(client) == (address, (*TOO_BIG[family], NARROW))
        client.send_indication(address, bytes(NARROW - HEADERS[family]), (stun.DONT_FRAGMENT, b""))
        assert peer.recv(65536) == bytes(NARROW - HEADERS[family])
        # Without it, it is cut up.
        client.send_indication(address, bytes(1440))
        assert peer.recv(65536) == bytes(1440)


@pytest.mark.parametrize("family", [4, 6])
def test_clients_with_connections_are_told_of_errors(connected_of, family):
    client = connected_of(family)
    client.allocate(family=family)
    client.permit(PEER[family])
    closed = (PEER[family], 9)
    client.send_indication(closed, b"anyone there?")
    assert icmp_indication(client) == (closed, (3, 3, 0) if family == 4 else (1, 4, 0))


# The way to a client


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_too_long_for_the_clients_path_is_answered_to_the_peer(lab, relay, flow_of, family):
    flow, other_flow = flow_of(family), flow_of(family)
    before = heeded_of_clients(relay)
    with narrow_path(lab, "client"):
        inject_whole(flow, 1440, "peer")
        assert flow.arrived("client", 0.3) is None
        assert icmp_error(flow, "peer", 0.2) is None
    assert heeded_of_clients(relay) == before + 1
    # The relay says it now, and to a peer of 48 bytes less (RFC 8656 section 13.2).
    inject_whole(flow, NARROW - 4 + 1, "peer")
    assert icmp_error(flow, "peer") == (*TOO_BIG[family], NARROW - 48)
    assert flow.arrived("client", 0.2) is None
    inject_whole(flow, NARROW - 4, "peer")
    assert flow.arrived("client") == bytes(NARROW - 4 - HEADERS[family])
    # The other way is another, and so is the other client's.
    inject_whole(flow, 1440)
    assert flow.arrived("peer") == bytes(1440 - HEADERS[family])
    inject_whole(other_flow, 1440, "peer")
    assert other_flow.arrived("client") == bytes(1440 - HEADERS[family])


def heeded_of_clients(relay):
    return telemetry.ask(relay, "/turnpike/drops")["drops"].get("icmp_of_client", 0)


def test_what_peers_send_without_df_is_cut_to_the_clients_path(lab, flow_of):
    flow = flow_of(4)
    data = bytes(i * 13 & 0xFF for i in range(1430))
    flow.inject("core", error_about_client(flow, NARROW))
    flow.inject("peer", flow.packet("peer", data, flags=0, id=4711))
    assert flow.arrived("client") == data
    flow.inject("peer", flow.packet("peer", data, flags=0, id=4712))
    lengths = [len(packet) for packet in flow.frames("client", 0.3)]
    assert len(lengths) == 2 and NARROW - 8 < max(lengths) <= NARROW


def error_about_client(flow, mtu, length=1444, port=None, flags="DF"):
    """That of a router, of the first bytes of a packet from the listener to the client."""
    family = flow.families["client"]
    host, client_port = flow.client.address
    udp = UDP(sport=PORT, dport=port or client_port, len=length - HEADERS[family] + 8) / Raw(bytes(20))
    if family == 4:
        quoted = IP(src=RELAY[4], dst=host, len=length, flags=flags) / udp
        return IP(src=GATEWAY[4], dst=RELAY[4]) / ICMP(type=3, code=4, nexthopmtu=mtu) / quoted
    return IPv6(src=GATEWAY[6], dst=RELAY[6]) / ICMPv6PacketTooBig(mtu=mtu) / (
        IPv6(src=RELAY[6], dst=host, plen=length - 40) / udp)


@pytest.mark.parametrize("family", [4, 6])
def test_forged_errors_about_clients_change_nothing(flow_of, family):
    flow = flow_of(family)
    forged = {
        "about a client that nobody is": error_about_client(flow, 1300, port=flow.client.address[1] ^ 1),
        "that says what got through": error_about_client(flow, 1444),
        "about what was never sent so": error_about_client(flow, 1300, flags=0) if family == 4 else
        error_about_client(flow, 1279),
    }
    assert_heeds_only_the_true_one(flow, reaches_client, forged, error_about_client(flow, 1300))


def reaches_client(flow, length):
    inject_whole(flow, length, "peer")
    return flow.arrived("client", 0.5) is not None


# Another way


OTHER_GATEWAY = {4: "192.0.2.252", 6: "2001:db8:2::fc"}


@pytest.fixture
def other_gateway(lab):
    """Another address of the router's."""
    addresses = [f"{OTHER_GATEWAY[4]}/24", f"{OTHER_GATEWAY[6]}/64"]
    for address in addresses:
        lab.run("core", "ip", "address", "add", address, "dev", "relay")
    yield
    for address in addresses:
        lab.run("core", "ip", "address", "del", address, "dev", "relay")


@contextlib.contextmanager
def route_by(lab, host, gateway):
    family = f"-{6 if ':' in host else 4}"
    lab.run("relay", "ip", family, "route", "add", host, "via", gateway)
    try:
        yield
    finally:
        lab.run("relay", "ip", family, "route", "del", host)


@pytest.mark.parametrize("family", [4, 6])
def test_a_route_by_another_gateway_is_another_path(lab, other_gateway, flow_of, family):
    flow = flow_of(family)
    flow.inject("core", error_about(flow, 1300), error_about_client(flow, 1300))
    assert not passes(flow, 1440) and not reaches_client(flow, 1440)
    for host, arrives in ((PEER[family], passes), (CLIENT[family], reaches_client)):
        with route_by(lab, host, OTHER_GATEWAY[family]):
            assert wait_for(lambda arrives=arrives: arrives(flow, 1440)), f"the new way to {host} is as narrow as the old"


# What anybody may send


def error_about(flow, mtu, length=1440, to=None, port=None, flags="DF"):
    """That of a router, of the first bytes of a packet from the relayed address."""
    family = flow.families["peer"]
    udp = UDP(sport=port or flow.client.relayed[1], dport=flow.peer_address[1], len=length - HEADERS[family] + 8)
    to = to or PEER[family]
    if family == 4:
        quoted = IP(src=RELAY[4], dst=to, len=length, flags=flags) / udp / Raw(bytes(20))
        return IP(src=GATEWAY[4], dst=RELAY[4]) / ICMP(type=3, code=4, nexthopmtu=mtu) / quoted
    quoted = IPv6(src=RELAY[6], dst=to, plen=length - 40) / udp / Raw(bytes(20))
    return IPv6(src=GATEWAY[6], dst=RELAY[6]) / ICMPv6PacketTooBig(mtu=mtu) / quoted


def passes(flow, length):
    inject_whole(flow, length)
    return flow.arrived("peer", 0.5) is not None


@pytest.mark.parametrize("family", [4, 6])
def test_forged_errors_change_nothing(flow_of, family):
    flow = flow_of(family)
    forged = {
        "about a peer without permission": error_about(flow, 1300, to={4: "203.0.113.99", 6: "2001:db8:203::99"}[family]),
        "about a port that nobody has": error_about(flow, 1300, port=flow.client.relayed[1] ^ 1),
        "that says what got through": error_about(flow, 1440),
        "about what was never sent so": error_about(flow, 1300, length=1440, flags=0) if family == 4 else
        error_about(flow, 1279),
    }
    assert_heeds_only_the_true_one(flow, passes, forged, error_about(flow, 1300))


def test_no_error_makes_a_path_too_narrow_for_media(flow_of):
    flow = flow_of(4)
    flow.inject("core", error_about(flow, 68))
    assert not passes(flow, 580)
    assert passes(flow, 576)


def with_sum(body, family):
    error = (ICMP if family == 4 else ICMPv6PacketTooBig)(body)
    if family == 4:
        del error.chksum
    else:
        del error.cksum
    return error


@pytest.mark.parametrize("family", [4, 6])
def test_truncated_quotes_and_garbage_harm_nobody(relay, flow_of, family):
    flow = flow_of(family)
    good = bytes(error_about(flow, 1300))
    head = 20 if family == 4 else 40
    cuts = [good[:end] for end in range(head, head + 8 + head + 8)]
    for cut in cuts:
        layers = IP(src=GATEWAY[4], dst=RELAY[4], proto=1) if family == 4 else IPv6(src=GATEWAY[6], dst=RELAY[6], nh=58)
        body = cut[head:]
        if len(body) >= 8:  # with a good checksum
            body = bytes(layers / with_sum(body, family))[head:]
        flow.inject("core", layers / Raw(body))
    assert flow.client.receive_bytes(0.3) is None
    assert passes(flow, 1440)


@pytest.mark.parametrize("family", [4, 6])
def test_a_flood_of_errors_is_told_at_a_rate(relay, flow_of, family):
    flow, other_flow = flow_of(family), flow_of(family)
    before = telemetry.ask(relay, "/turnpike/drops")["drops"].get("icmp_rate", 0)
    unreachable = error_of_closed_port(flow)
    flow.inject("core", *[unreachable] * 200)
    told = 0
    while flow.client.receive_bytes(0.3) is not None:
        told += 1
    assert 20 <= told < 60
    assert telemetry.ask(relay, "/turnpike/drops")["drops"]["icmp_rate"] - before == 200 - told
    other_flow.inject("core", error_of_closed_port(other_flow))
    assert icmp_indication(other_flow.client)[0] == other_flow.peer_address


def error_of_closed_port(flow):
    family = flow.families["peer"]
    udp = UDP(sport=flow.client.relayed[1], dport=flow.peer_address[1]) / Raw(bytes(20))
    if family == 4:
        quoted = IP(src=RELAY[4], dst=PEER[4]) / udp
        return IP(src=GATEWAY[4], dst=RELAY[4]) / ICMP(type=3, code=3) / quoted
    return IPv6(src=GATEWAY[6], dst=RELAY[6]) / ICMPv6DestUnreach(code=4) / (IPv6(src=RELAY[6], dst=PEER[6]) / udp)
