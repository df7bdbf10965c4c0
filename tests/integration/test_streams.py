# SPDX-License-Identifier: BSD-3-Clause
"""Clients over TCP, TLS and DTLS: coturn's, whose every message comes back, and ours, whose streams come in pieces."""

import contextlib
import itertools
import os
import ssl
import struct
import time

import pytest

import stun
from client import Client
from lab import CLIENT4_OTHER, PEER, PEER4, PEER6, RELAY4, RELAY6
from media import CHANNEL, Media, lossless
from relay import PORT, SANITIZED, TLS_PORT, Relay
from streams import NAME, DtlsClient, StreamClient, is_closed
from uclient import MESSAGES, all_came_back, uclient

TRANSPORTS = {"tcp": ["-t"], "tls": ["-t", "-S"], "dtls": ["-S"]}
FRAME_TIMEOUT_S = HANDSHAKE_TIMEOUT_S = 10


@pytest.fixture(scope="module")
def lab(shaped_lab):
    return shaped_lab


@pytest.fixture(scope="module")
def relay(lab, shape, authority, tmp_path_factory):
    settings = {"workers": shape[0], "tls_threads": shape[1], "rfc5766_channels": True}
    certificates = [authority.issue("ecdsa"), authority.issue("rsa", kind="rsa")]
    with Relay(lab, tmp_path_factory.mktemp("relay"), certificates=certificates, **settings) as the_relay:
        yield the_relay


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "options, server",
    [
        pytest.param(["-e", PEER4], RELAY4, id="channel_data"),
        pytest.param(["-e", PEER4, "-c", "-s"], RELAY4, id="send_indications"),
        pytest.param(["-y", "-c"], RELAY4, id="client_to_client"),
        pytest.param(["-e", PEER6, "-c", "-x"], RELAY6, id="ipv6"),
    ],
)
def test_returns_every_message(lab, echo, transport, options, server):
    all_came_back(uclient(lab, *MESSAGES, *TRANSPORTS[transport], *options, server=server), at_least=200)


# Streams of ours


@pytest.fixture
def media(lab, relay):
    """Over UDP and over TCP."""
    with lossless(
        relay, Media(lab, lambda family: Client(lab, family)), Media(lab, lambda family: StreamClient(lab, family))
    ) as flows:
        yield flows


@pytest.mark.parametrize("family", [4, 6])
def test_a_stream_in_pieces_of_a_byte_is_understood(lab, stream_of, family):
    client = stream_of(family, piece_len=1)
    client.allocate(family=family)
    with lab.udp("peer", PEER[family]) as peer:
        client.bind(CHANNEL, peer.getsockname()[:2])
        for length in range(8):
            client.send_channel(CHANNEL, bytes(range(length)))
            assert peer.recv(2048) == bytes(range(length))
            peer.sendto(bytes(range(length)), client.relayed)
            assert client.receive() == (CHANNEL, None, bytes(range(length)))


def test_messages_that_come_together_are_taken_one_by_one(lab, stream_of):
    client = stream_of()
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(CHANNEL, peer.getsockname())
        payloads = [b"%d" % i * (i % 7) for i in range(50)]
        binding = stun.Message(stun.BINDING).encode()
        client.send_stream(b"".join(stun.padded(stun.channel_data(CHANNEL, p)) + binding for p in payloads))
        assert [peer.recv(2048) for _ in payloads] == payloads
        answers = [stun.decode(client.receive_bytes()) for _ in payloads]
        assert all(answer.is_success and answer.transaction_id == binding[8:20] for answer in answers)


def test_tcp_is_not_relayed_unless_told(stream_of):
    client = stream_of()
    assert client.request(client.allocate_request(transport=stun.TCP)).error == 442


def test_the_same_port_over_each_transport_is_a_client_of_its_own(lab, relay, authority):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(lab))]
        host, port = clients[0].address
        for server, context in ((PORT, None), (TLS_PORT, authority.context())):
            sock = stack.enter_context(lab.tcp("client", (RELAY4, server), host, port, reuse=True))
            if context is not None:
                sock = stack.enter_context(context.wrap_socket(sock, server_hostname=NAME))
            clients.append(stack.enter_context(StreamClient(lab, sock=sock, port=server)))
        for client in clients:
            assert client.allocate().xor_address(stun.XOR_MAPPED_ADDRESS) == (host, port)
        assert len({client.relayed for client in clients}) == len(clients)
        for client in clients:
            client.refresh(0)


LONG_FRAMES = {
    "channel_data": struct.pack("!HH", CHANNEL, 0xFFFC),
    "stun": struct.pack("!HHI", 0x0001, 0xFFFC, stun.MAGIC_COOKIE),
}
NONSENSE = {
    "http": b"GET / HTTP/1.1\r\nHost: turn.example.org\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "odd_length": struct.pack("!HHI", 0x0001, 3, stun.MAGIC_COOKIE) + bytes(15),
    "no_cookie": struct.pack("!HHI", 0x0001, 0, 0x11223344) + bytes(12),
    "reserved_channel": struct.pack("!HH", 0x8000, 4) + bytes(4),
    "proxy_header": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
}


@pytest.mark.parametrize("name", [*LONG_FRAMES, *NONSENSE])
def test_what_is_no_frame_ends_the_connection_at_once_and_harms_nobody(stream_of, media, name):
    client = stream_of()
    client.send_stream({**LONG_FRAMES, **NONSENSE}[name])
    assert is_closed(client.sock, within_s=3)
    assert [flow.lost_so_far() for flow in media] == [0, 0]


def test_random_bytes_harm_nobody(lab, relay, media):
    for _ in range(100):
        for port in (PORT, TLS_PORT):
            with lab.tcp("client", (RELAY4, port), CLIENT4_OTHER) as sock, contextlib.suppress(OSError):
                sock.sendall(os.urandom(300))
    assert [flow.lost_so_far() for flow in media] == [0, 0]


def test_whoever_stops_half_way_is_let_go_and_others_are_served(lab, relay, authority, media):
    context = authority.context()
    hello = client_hello(context)
    half_frame = stun.Message(stun.BINDING).encode()[:10]
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        halves = {}
        for name, port, start in (
            ("half a message", PORT, half_frame),
            ("half a length", PORT, half_frame[:3]),
            ("half ChannelData", PORT, stun.channel_data(CHANNEL, bytes(400))[:200]),
            ("no handshake", TLS_PORT, b""),
            ("half a ClientHello", TLS_PORT, hello[:50]),
            ("a ClientHello and no more", TLS_PORT, hello),
        ):
            halves[name] = stack.enter_context(lab.tcp("client", (RELAY4, port), CLIENT4_OTHER))
            halves[name].sendall(start)
        half_record = stack.enter_context(StreamClient(lab, context=context))
        half_record.send_stream(half_frame)
        halves["half a message over TLS"] = half_record.sock
        silent = [stack.enter_context(lab.tcp("client", (RELAY4, PORT), CLIENT4_OTHER)) for _ in range(50)]
        # Others get their turn meanwhile.
        for connection in (StreamClient(lab), StreamClient(lab, context=context)):
            with connection as other:
                other.allocate()
                other.refresh(0)
        for name, sock in halves.items():
            left = max(0.01, started + FRAME_TIMEOUT_S - 1.5 - time.monotonic())
            assert not is_closed(sock, within_s=left), f"{name}: closed before its time"
        for name, sock in halves.items():
            left = max(0.01, started + FRAME_TIMEOUT_S + 3 - time.monotonic())
            assert is_closed(sock, within_s=left), f"{name}: not closed in time"
        # Who has said nothing may still say something.
        for sock in silent:
            sock.sendall(stun.Message(stun.BINDING).encode())
            assert stun.decode(sock.recv(2048)).is_success
    assert [flow.lost_so_far() for flow in media] == [0, 0]


def client_hello(context):
    """What a client of TLS says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


def test_a_client_that_does_not_read_costs_a_bounded_amount(lab, relay, stream_of, media):
    client = stream_of(receive_len=8192)
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(CHANNEL, peer.getsockname())
        before_kb = relay.resident_kb()
        flood(peer, client.relayed, seconds=3)
        grown_kb = relay.resident_kb() - before_kb
        assert [flow.lost_so_far() for flow in media] == [0, 0]
        assert SANITIZED or grown_kb < 2048, f"{grown_kb} kB more"
        has_media_again(client, peer)
    client.refresh(0)


def test_a_client_over_dtls_that_does_not_read_costs_nothing(lab, relay, authority, media):
    with DtlsClient(lab, authority) as client, lab.udp("peer", PEER4) as peer:
        client.allocate()
        client.bind(CHANNEL, peer.getsockname())
        before_kb = relay.resident_kb()
        flood(peer, client.relayed, seconds=3, length=DtlsClient.MESSAGE_MAX_LEN - 4)
        grown_kb = relay.resident_kb() - before_kb
        assert [flow.lost_so_far() for flow in media] == [0, 0]
        assert SANITIZED or grown_kb < 1024, f"{grown_kb} kB more"
        has_media_again(client, peer)
        client.refresh(0)


def has_media_again(client, peer):
    """Once it reads, it has what is sent from then on."""
    numbers = itertools.count()
    deadline = time.monotonic() + 10
    received = None
    while not (received and received[2].startswith(b"fresh")):
        assert time.monotonic() < deadline, "no media any more"
        peer.sendto(b"fresh %d" % next(numbers), client.relayed)
        received = client.receive(0.05)


def flood(peer, relayed, seconds, length=1200):
    """Some 3000 datagrams a second: many times what a stream holds that nobody reads."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in range(15):
            peer.sendto(bytes(length), relayed)
        time.sleep(0.005)
