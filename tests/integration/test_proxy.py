# SPDX-License-Identifier: BSD-3-Clause
"""Behind load balancers: clients are who the PROXY protocol (version 2) says, where it may say so."""

import pytest

import stun
from lab import CLIENT4, CLIENT4_OTHER, CLIENT6, PEER4, RELAY4, RELAY6
from proxy import PROXIED, SIGNATURE, connect, header
from relay import PORT, TLS_PORT, Relay
from streams import StreamClient, is_closed

BALANCER = {4: CLIENT4_OTHER, 6: CLIENT6}
RELAY = {4: RELAY4, 6: RELAY6}


@pytest.fixture(scope="module", params=[0, 2], ids=lambda n: f"{n}_threads")
def relay(request, lab, authority, tmp_path_factory):
    settings = {
        "certificates": [authority.issue("relay")],
        "proxy_protocol_from": [f"{CLIENT4_OTHER}/32", f"{CLIENT6}/128"],
        "tls_threads": request.param,
    }
    with Relay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
        yield the_relay


@pytest.mark.parametrize("carried", [4, 6], ids=["for_ipv4", "for_ipv6"])
@pytest.mark.parametrize("family", [4, 6], ids=["over_ipv4", "over_ipv6"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_a_client_is_who_the_header_says(lab, relay, authority, secure, family, carried):
    server = (RELAY[family], TLS_PORT if secure else PORT)
    before = header(PROXIED[carried], (RELAY[carried], server[1]), options=b"\x04\x00\x03abc")
    sock = connect(lab, authority.context() if secure else None, BALANCER[family], server, before)
    with StreamClient(lab, sock=sock) as client, lab.udp("peer", PEER4) as peer:
        binding = client.transact(stun.Message(stun.BINDING).encode())
        assert binding.xor_address(stun.XOR_MAPPED_ADDRESS) == PROXIED[carried]
        assert client.allocate(family=4).xor_address(stun.XOR_MAPPED_ADDRESS) == PROXIED[carried]
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"through")
        assert peer.recvfrom(2048) == (b"through", client.relayed)
        peer.sendto(b"and back", client.relayed)
        assert client.receive() == (0x4000, None, b"and back")
        client.refresh(0)


def test_a_balancer_speaks_for_itself_in_a_local_header(lab, relay):
    before = SIGNATURE + b"\x20\x00\x00\x00"
    with StreamClient(lab, sock=connect(lab, None, CLIENT4_OTHER, (RELAY4, PORT), before)) as client:
        binding = client.transact(stun.Message(stun.BINDING).encode())
        assert binding.xor_address(stun.XOR_MAPPED_ADDRESS) == client.address


def test_a_header_may_come_in_pieces(lab, relay):
    before = header(PROXIED[4], (RELAY4, PORT)) + stun.Message(stun.BINDING).encode()
    with lab.tcp("client", (RELAY4, PORT), CLIENT4_OTHER) as sock:
        for byte in before:
            sock.sendall(bytes([byte]))
        assert stun.decode(sock.recv(2048)).xor_address(stun.XOR_MAPPED_ADDRESS) == PROXIED[4]


@pytest.mark.parametrize(
    "before",
    [
        stun.Message(stun.BINDING).encode(),
        b"PROXY TCP4 198.18.7.9 192.0.2.1 40000 3478\r\n",
        header(PROXIED[4], (RELAY4, PORT), command=3),
        header((PROXIED[4][0], 0), (RELAY4, PORT)),
        header(("0.0.0.0", 40000), (RELAY4, PORT)),
        header(("::ffff:198.18.7.9", 40000), (RELAY6, PORT)),
        b"\x16\x03\x01" + bytes(100),
    ],
    ids=["no_header", "version_1", "unknown_command", "port_0", "nobody", "ipv4_in_ipv6", "tls_at_once"],
)
@pytest.mark.parametrize("port", [PORT, TLS_PORT])
def test_a_balancer_has_to_say_whom_it_speaks_for(lab, relay, port, before):
    with lab.tcp("client", (RELAY4, port), CLIENT4_OTHER) as sock:
        sock.sendall(before)
        assert is_closed(sock, within_s=2)


def test_a_balancer_that_says_nothing_is_let_go(lab, relay):
    with lab.tcp("client", (RELAY4, PORT), CLIENT4_OTHER) as sock:
        assert is_closed(sock, within_s=6)


@pytest.mark.parametrize("port", [PORT, TLS_PORT])
def test_nobody_else_may_speak_for_others(lab, relay, port):
    with lab.tcp("client", (RELAY4, port), CLIENT4) as sock:
        sock.sendall(header(PROXIED[4], (RELAY4, port)))
        assert is_closed(sock, within_s=2)


def test_others_need_no_header(lab, relay, authority):
    with StreamClient(lab) as plain, StreamClient(lab, context=authority.context()) as secure:
        for client in (plain, secure):
            binding = client.transact(stun.Message(stun.BINDING).encode())
            assert binding.xor_address(stun.XOR_MAPPED_ADDRESS) == client.address
