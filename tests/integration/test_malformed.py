# SPDX-License-Identifier: BSD-3-Clause
"""Rubbish at every door while media flows: the relay lives, answers nothing it should not, and no media is lost."""

import itertools
import random
import socket
import struct
import time

import pytest

import stun
from client import Client
from lab import CLIENT4_OTHER, CLIENT6, PEER4, PEER4_OTHER, PEER6, RELAY, RELAY4
from media import Media
from relay import PORT, Relay

SEED = 20260101
# Bursts well within the rings, so that what is lost is lost by the relay's doing.
BURST = 32
PAUSE_S = 0.004


def samples():
    """Good messages of every kind, to be spoilt."""
    key = stun.long_term_key("alice", "turnpike.test", "wonderland")
    allocate = stun.Message(stun.ALLOCATE)
    allocate.add(stun.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
    allocate.add(stun.USERNAME, b"alice").add(stun.REALM, b"turnpike.test").add(stun.NONCE, b"obMatJos2wAAA" + b"n" * 20)
    signed = stun.add_fingerprint(stun.add_integrity(allocate.encode(), key))
    send = stun.Message(stun.SEND, stun.INDICATION).add_xor_address(stun.XOR_PEER_ADDRESS, (PEER4, 9))
    send.add(stun.DATA, b"payload")
    bind = stun.Message(stun.CHANNEL_BIND).add(stun.CHANNEL_NUMBER, b"\x40\x00\0\0")
    bind.add_xor_address(stun.XOR_PEER_ADDRESS, (PEER6, 9))
    return [
        stun.add_fingerprint(stun.Message(stun.BINDING).encode()),
        signed,
        send.encode(),
        bind.encode(),
        stun.channel_data(0x4000, b"payload"),
    ]


def truncated():
    for sample in samples():
        for length in range(len(sample)):
            yield sample[:length]


def every_first_byte():
    for first, length in itertools.product(range(256), (1, 4, 20, 60)):
        yield bytes([first]) + bytes(length - 1)
    for first in range(256):
        for sample in samples():
            yield bytes([first]) + sample[1:]


def wrong_lengths():
    for sample in samples():
        for length in (0, 1, 3, 4, 5, len(sample) - 21, len(sample) - 19, len(sample), 0x7FFF, 0xFFFC, 0xFFFF):
            yield stun.with_length(sample, length & 0xFFFF)


def wrong_attribute_lengths():
    for sample in samples()[:4]:
        offset = 20
        while offset + 4 <= len(sample):
            kind, length = struct.unpack_from("!HH", sample, offset)
            for wrong in (0, 1, length + 1, length + 4, 0xFFFF):
                yield sample[:offset] + struct.pack("!HH", kind, wrong) + sample[offset + 4 :]
            offset += 4 + length + (-length % 4)


def attributes_of_every_type():
    for kind in itertools.chain(range(0, 0x40), range(0x8000, 0x8040)):
        for length in (0, 1, 4, 8, 20):
            yield stun.Message(stun.BINDING).add(kind, bytes(length)).encode()
            yield stun.Message(stun.SEND, stun.INDICATION).add(kind, bytes(length)).encode()


def long_ones():
    crowd = stun.Message(stun.ALLOCATE)
    for i in range(300):
        crowd.add(0x7000 + i)
    yield crowd.encode()
    yield stun.Message(stun.BINDING).add(stun.SOFTWARE, bytes(1400)).encode()
    yield stun.channel_data(0x4000, bytes(1400))
    yield bytes(1472)


def bits_flipped():
    source = random.Random(SEED)
    for sample in samples() * 40:
        data = bytearray(sample)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        yield bytes(data)


def junk():
    source = random.Random(SEED)
    for _ in range(1000):
        yield source.randbytes(source.randint(0, 300))


CORPORA = [
    truncated,
    every_first_byte,
    wrong_lengths,
    wrong_attribute_lengths,
    attributes_of_every_type,
    long_ones,
    bits_flipped,
    junk,
]


def pour(sock, corpus, address):
    count = 0
    for data in corpus():
        sock.sendto(data, address)
        count += 1
        if count % BURST == 0:
            time.sleep(PAUSE_S)
    return count


@pytest.fixture(scope="module")
def relay(lab, tmp_path_factory):
    with Relay(lab, tmp_path_factory.mktemp("relay")) as the_relay:
        yield the_relay
        assert the_relay.stop() == 0
        drops = the_relay.summary()
    for reason in ("bad_stun", "unknown_protocol", "ignored_stun", "bad_channel_data", "no_permission"):
        assert drops.get(reason, 0) > 0, f"nothing was counted as {reason}: {drops}"


@pytest.fixture(scope="module")
def media(lab, relay):
    clients = []

    def make(*arguments):
        clients.append(Client(lab, *arguments))
        return clients[-1]

    with Media(lab, make) as the_media:
        yield the_media
    assert relay.is_running
    assert the_media.lost == 0
    for client in clients:
        client.refresh(0)
        client.close()


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.__name__)
@pytest.mark.parametrize("family, host", [(4, CLIENT4_OTHER), (6, CLIENT6)], ids=["ipv4", "ipv6"])
def test_listening_port_survives(lab, relay, media, corpus, family, host):
    with lab.udp("client", host) as sock:
        assert pour(sock, corpus, (RELAY[family], PORT)) > 0
    assert relay.is_running
    assert media.lost_so_far() == 0


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.__name__)
def test_whatever_a_peer_sends_is_data(lab, relay, media, client, corpus):
    client.allocate()
    client.permit(PEER4)
    with lab.udp("peer", PEER4) as sock:
        sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: a full packet grows on its way to the client
        for data in corpus():
            sock.sendto(data, client.relayed)
            assert client.receive() == (None, sock.getsockname(), data)
    assert media.lost_so_far() == 0


def test_whatever_a_stranger_sends_to_a_relayed_address_is_dropped(lab, relay, media, client):
    client.allocate()
    client.permit(PEER4)
    with lab.udp("peer", PEER4_OTHER) as sock:
        for corpus in CORPORA:
            pour(sock, corpus, client.relayed)
    assert client.receive(0.3) is None
    assert media.lost_so_far() == 0


def test_answers_are_well_formed_whatever_is_asked(lab, relay, media):
    # decode() is strict: lengths exact, padding zero.
    with lab.udp("client", CLIENT4_OTHER, timeout=0.3) as sock:
        for corpus in (truncated, wrong_lengths, wrong_attribute_lengths, attributes_of_every_type, bits_flipped):
            pour(sock, corpus, (RELAY4, PORT))
            try:
                while True:
                    answer = stun.decode(sock.recv(2048))
                    assert answer.message_class in (stun.SUCCESS, stun.ERROR)
            except TimeoutError:
                pass
