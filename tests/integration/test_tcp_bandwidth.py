# SPDX-License-Identifier: BSD-3-Clause
"""Bandwidth between the connections of TCP allocations (RFC 6062): held to the limits of media, and nothing is lost."""

import contextlib
import os
import select
import socket
import ssl
import struct
import time

import pytest

import stun
from client import Client, need
from fixtures import own_lab
from lab import PEER4
from monitor import ask, samples
from relay import Relay, render_config
from streams import StreamClient

# Bytes a second. An idle bucket holds 128 KiB, which is gone in less than BURST_S.
RATE = 200000
BURST_S = 1.5
# A measurement begins and ends with a read that may be this late, on a machine that others share: what has come meanwhile is in it.
LATE_S = 0.4

lab = own_lab(queues=2)


@pytest.fixture
def relay_with(lab, tmp_path):
    """relay_with(setting=value, ...) starts it, for this test: with two threads of connections."""
    with contextlib.ExitStack() as stack:
        fixed = {"workers": 2, "tls_threads": 2, "tcp_relay": True}
        yield lambda **settings: stack.enter_context(Relay(lab, tmp_path, **fixed, **settings))


def reload(relay, **settings):
    relay.settings.update(settings)
    relay.config.write_text(render_config(relay.settings))
    assert relay.reload()


class Joined:
    """A client's data connection and its peer's socket. What goes through them is numbered, so that what is lost or comes twice is seen."""

    def __init__(self, lab, stack, control, context=None):
        with lab.inside("peer"):
            listener = stack.enter_context(socket.create_server((PEER4, 0)))
        listener.settimeout(5)
        connect = stun.Message(stun.CONNECT).add_xor_address(stun.XOR_PEER_ADDRESS, listener.getsockname()[:2])
        connection = need(control.request(connect)).u32(stun.CONNECTION_ID)
        self.peer = stack.enter_context(listener.accept()[0])
        data = stack.enter_context(StreamClient(lab, username=control.username, password=control.password, context=context))
        need(data.request(stun.Message(stun.CONNECTION_BIND).add(stun.CONNECTION_ID, struct.pack("!I", connection))))
        assert not data.stream
        self.client = data.sock


class Way:
    """One direction, as much as it takes."""

    PATTERN = os.urandom(65521) * 17

    def __init__(self, source, destination):
        self.source, self.destination = source, destination
        self.sent = self.got = 0

    def send(self):
        at = self.sent % 65521
        with contextlib.suppress(BlockingIOError):
            self.sent += self.source.send(self.PATTERN[at : at + 65521])

    def receive(self):
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            while data := self.destination.recv(1 << 18):
                at = self.got % 65521
                assert data == self.PATTERN[at : at + len(data)], "bytes are lost or others than were sent"
                self.got += len(data)


def to_peer(connection):
    return Way(connection.client, connection.peer)


def to_client(connection):
    return Way(connection.peer, connection.client)


def carry(ways, seconds, also=lambda: None):
    """How much comes of each in that time, and how long it was."""
    before = [way.got for way in ways]
    receivers = {way.destination: way for way in ways}
    senders = {way.source: way for way in ways}
    for sock in [*receivers, *senders]:
        sock.setblocking(False)
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        readable, writable, _ = select.select(receivers, senders, [], 0.01)
        for sock in readable:
            receivers[sock].receive()
        for sock in writable:
            senders[sock].send()
        also()
    took = time.monotonic() - start
    return [way.got - got for way, got in zip(ways, before)], took


def finish(ways):
    """All that was sent comes."""
    deadline = time.monotonic() + 20
    for way in ways:
        while way.got < way.sent:
            assert time.monotonic() < deadline, f"{way.sent - way.got} of {way.sent} bytes never came"
            way.receive()
            time.sleep(0.001)


def expect_rate(got, took):
    """Of bytes for which the bucket was empty at first."""
    assert (took - LATE_S) * RATE * 0.9 <= got <= (took + LATE_S) * RATE, (got, took)


def metric(lab, name):
    return samples(ask(lab, "/metrics")[1]).get(name, 0)


@pytest.fixture
def joined(lab):
    """joined(control) makes another data connection; control() a TCP allocation."""
    with contextlib.ExitStack() as stack:

        def control(**options):
            client = stack.enter_context(StreamClient(lab, **options))
            client.allocate(transport=stun.TCP)
            return client

        yield control, lambda *arguments, **options: Joined(lab, stack, *arguments, **options)


@pytest.mark.parametrize("over", ["tcp", "tls"])
def test_each_direction_keeps_to_the_limit_and_loses_nothing(lab, relay_with, joined, authority, over):
    relay = relay_with(max_bps=RATE, certificates=[authority.issue("band")])
    control, join = joined
    connection = join(control(), context=authority.context() if over == "tls" else None)
    ways = [to_peer(connection), to_client(connection)]
    # OpenSSL's objects do not take a write that is not the one before again: over TLS one way after the other.
    for some in [ways] if over == "tcp" else [[ways[1]]]:
        carry(some, BURST_S)
        busy = relay.cpu_seconds()
        got, took = carry(some, 3)
        for way_got in got:
            expect_rate(way_got, took)
        assert relay.cpu_seconds() - busy < 2.5, "it spins"
        assert metric(lab, "turnpike_stream_joined_pauses_total") > 50
        # From now on as fast as may be: a reload takes hold of what there is.
        reload(relay, max_bps=0)
        got, took = carry(some, 1)
        assert min(got) > 5 * RATE
        finish(some)
        reload(relay, max_bps=RATE)
        carry(some, 1)
        got, took = carry(some, 2)
        for way_got in got:
            expect_rate(way_got, took)
        reload(relay, max_bps=0)
        finish(some)


def test_connections_of_one_allocation_share_its_limit(lab, relay_with, joined):
    relay = relay_with(max_bps=RATE)
    control, join = joined
    one, other = control(), control()
    ways = [to_peer(join(one)) for _ in range(4)] + [to_peer(join(other))]
    carry(ways, BURST_S)
    got, took = carry(ways, 4)
    expect_rate(sum(got[:4]), took)
    expect_rate(got[4], took)
    # Whichever threads have them, none goes without.
    assert min(got[:4]) > RATE * took / 4 / 4, got
    reload(relay, max_bps=0)
    finish(ways)


def test_media_and_connections_of_a_user_share_its_limit(lab, relay_with, joined):
    relay = relay_with(user_max_bps=RATE)
    control, join = joined
    mine = [to_peer(join(control())) for _ in range(2)]
    others = [to_peer(join(control(username="bob", password="builder")))]
    with Client(lab) as media, lab.udp("peer", PEER4) as peer:
        media.allocate()
        media.bind(0x4000, peer.getsockname()[:2])
        peer.setblocking(False)
        arrived, sent = [0], [0]
        start = time.monotonic()

        def flow():
            """Half of the limit."""
            while sent[0] < (time.monotonic() - start) * RATE / 2:
                media.send_channel(0x4000, bytes(996))
                sent[0] += 1000
            with contextlib.suppress(BlockingIOError):
                while True:
                    arrived[0] += len(peer.recv(2000)) + 4

        carry(mine + others, BURST_S, flow)
        before = arrived[0]
        got, took = carry(mine + others, 4, flow)
        through = arrived[0] - before
        expect_rate(sum(got[:2]) + through, took)
        # Media is not kept waiting for what connections, which can wait, would take.
        assert through > 0.4 * RATE * took and min(got[:2]) > 0.05 * RATE * took, (through, got)
        expect_rate(got[2], took)
        media.refresh(0)
    reload(relay, user_max_bps=0)
    finish(mine + others)


def test_all_share_the_limit_of_all(lab, relay_with, joined):
    relay = relay_with(total_max_bps=RATE)
    control, join = joined
    ways = [to_client(join(control())), to_client(join(control(username="bob", password="builder")))]
    carry(ways, BURST_S)
    got, took = carry(ways, 4)
    expect_rate(sum(got), took)
    assert min(got) > RATE * took / 8, got
    reload(relay, total_max_bps=0)
    finish(ways)
