# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams in pieces, as the internet brings them (RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722): from clients and
from peers, over both families, whoever the interface is the relay's with, and with several workers."""

import contextlib
import itertools
import random
import time

import pytest
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

import telemetry
from flow import Flow, other
from lab import Lab
from media import Media, lossless
from relay import SANITIZED, Relay

# RFC 8200 section 4.5 lets it be a minute; media has no use for that long.
TIMEOUT_S = 1
PIECES_MAX = 128
# That a worker puts together at once; and how many are begun.
DATAGRAMS_MAX, FLOOD = 128, 1000
# libpcap's ring holds some 30 frames, media's among them.
BURST, REST_S = 10, 0.02
# Of memory, whoever is flooded again.
GROWN_KB_MAX = 1024
UDP_LEN = 8
SIDES = [pytest.param(f, s, id=f"{s}_ipv{f}") for f, s in itertools.product((4, 6), ("client", "peer"))]


# Whose the interface is, by what, and how many workers. net_pcap hands on pieces as they come, by one queue; for
# net_af_packet Linux joins those of IPv4.
SHARED, OWNED = ("shared", None, 2), ("owned", "net_pcap0,rx_iface_in=relay0,tx_iface=relay0", 1)
SPREAD = [SHARED, ("shared", None, 4), ("owned", "net_af_packet0,iface=relay0,qpairs=4", 4)]


def name_of(shape):
    return "%s_%d_workers" % (shape[0], shape[2])


@pytest.fixture(scope="module", params=[SHARED, OWNED], ids=name_of)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def lab(shape):
    with Lab(mode=shape[0], queues=shape[2]) as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def relay(lab, shape, tmp_path_factory):
    device = {} if shape[1] is None else {"device": shape[1]}
    with Relay(lab, tmp_path_factory.mktemp("relay"), workers=shape[2], **device) as the_relay:
        yield the_relay


@pytest.fixture
def flow_of(lab, relay, client_of):
    with contextlib.ExitStack() as stack:
        yield lambda family: Flow(stack, lab, client_of, family, family)


class Pieces:
    """Of one datagram, cut where a test likes. id: of the datagram, new ones each."""

    ids = itertools.count(random.SystemRandom().randrange(1 << 15))

    def __init__(self, flow, sender, data):
        self.flow, self.sender, self.data = flow, sender, data
        self.family = flow.families[sender]
        self.id = next(self.ids)
        whole = bytes(flow.packet(sender, data))
        self.bytes = whole[20 if self.family == 4 else 40:]  # from the UDP header on

    def piece(self, start, end, more=None, protocol=17):
        return self.of(self.bytes[start:end], start, end < len(self.bytes) if more is None else more, protocol)

    def of(self, data, start, more, protocol=17):
        if self.family == 4:
            header = self.flow.ip(self.sender, id=self.id & 0xFFFF or 1, frag=start // 8, flags="MF" if more else 0)
            header.proto = protocol
        else:
            fragment = IPv6ExtHdrFragment(id=self.id, offset=start // 8, m=int(more), nh=protocol)
            header = self.flow.ip(self.sender) / fragment
        return header / Raw(data)

    def cut(self, length):
        return [self.piece(at, min(at + length, len(self.bytes))) for at in range(0, len(self.bytes), length)]


def pattern(length, seed=0):
    return random.Random(seed).randbytes(length)


def assert_arrives(flow, sender, data):
    assert flow.arrived(other(sender)) == data


def assert_silence(flow, sender):
    assert flow.arrived(other(sender), 0.2) is None


def assert_serves(flow, sender):
    """Whatever it was, it has harmed nobody."""
    flow.inject(sender, flow.packet(sender, b"whole"))
    assert_arrives(flow, sender, b"whole")


def drops(relay):
    return telemetry.ask(relay, "/turnpike/drops")["drops"].get("fragment", 0)


# In whatever order


@pytest.mark.parametrize("family, sender", SIDES)
def test_pieces_come_together_in_any_order(flow_of, family, sender):
    flow = flow_of(family)
    for seed in range(8):
        data = pattern(1301, seed)
        pieces = Pieces(flow, sender, data).cut(264)
        if seed == 1:
            pieces.reverse()
        elif seed > 1:
            random.Random(seed).shuffle(pieces)
        flow.inject(sender, *pieces)
        assert_arrives(flow, sender, data)
    assert_silence(flow, sender)


@pytest.mark.parametrize("family, sender", SIDES)
def test_what_comes_twice_counts_once(flow_of, family, sender):
    flow = flow_of(family)
    data = pattern(1301)
    pieces = Pieces(flow, sender, data).cut(264)
    flow.inject(sender, *pieces[:-1], *pieces[:-1], pieces[0], pieces[-1])
    assert_arrives(flow, sender, data)
    assert_silence(flow, sender)


@pytest.mark.parametrize("family, sender", SIDES)
def test_datagrams_between_each_other_are_kept_apart(flow_of, family, sender):
    flow = flow_of(family)
    datagrams = [pattern(1301, seed) for seed in range(5)]
    cuts = [Pieces(flow, sender, data).cut(264) for data in datagrams]
    flow.inject(sender, *itertools.chain(*zip(*cuts)))
    assert {flow.arrived(other(sender)) for _ in datagrams} == set(datagrams)


# As small as can be


@pytest.mark.parametrize("family, sender", SIDES)
def test_pieces_of_eight_bytes_come_together(flow_of, family, sender):
    # The first is the UDP header and nothing else.
    flow = flow_of(family)
    data = pattern(200)
    flow.inject(sender, *Pieces(flow, sender, data).cut(8))
    assert_arrives(flow, sender, data)


@pytest.mark.parametrize("family, sender", SIDES)
def test_as_many_pieces_as_are_taken_and_no_more(flow_of, family, sender):
    flow = flow_of(family)
    head = len(flow.payload(sender, b""))
    data = pattern(PIECES_MAX * 8 - UDP_LEN - head)
    pieces = Pieces(flow, sender, data)
    assert len(pieces.cut(8)) == PIECES_MAX
    flow.inject(sender, *pieces.cut(8))
    assert_arrives(flow, sender, data)
    flow.inject(sender, *Pieces(flow, sender, data + b"x").cut(8))
    assert_silence(flow, sender)
    assert_serves(flow, sender)


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_an_atomic_fragment_is_a_datagram(flow_of, sender):
    # RFC 6946: whatever else of that id there is.
    flow = flow_of(6)
    pieces = Pieces(flow, sender, pattern(600))
    flow.inject(sender, pieces.piece(0, 296))
    atomic = Pieces(flow, sender, b"atomic")
    atomic.id = pieces.id
    flow.inject(sender, atomic.piece(0, len(atomic.bytes)))
    assert_arrives(flow, sender, b"atomic")
    flow.inject(sender, pieces.piece(296, len(pieces.bytes)))
    assert_arrives(flow, sender, pieces.data)


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_a_first_piece_without_the_udp_header_is_dropped(flow_of, sender):
    # RFC 8200 section 4.5: whoever looks at ports shall find them in the first piece.
    flow = flow_of(6)
    pieces = Pieces(flow, sender, pattern(300))
    options = bytes(IPv6ExtHdrDestOpt(nh=17))
    assert len(options) == 8
    pieces.bytes = options + pieces.bytes
    flow.inject(sender, pieces.piece(0, 8, protocol=60), pieces.piece(8, len(pieces.bytes), protocol=60))
    assert_silence(flow, sender)
    pieces.id = next(Pieces.ids)
    flow.inject(sender, pieces.piece(0, 16, protocol=60), pieces.piece(16, len(pieces.bytes), protocol=60))
    assert_arrives(flow, sender, pieces.data)


@pytest.mark.parametrize("sender", ["client", "peer"])
def test_destination_options_may_be_in_the_first_piece(flow_of, sender):
    # Later pieces say that options follow the Fragment header (RFC 8200 section 4.5), not what follows those.
    flow = flow_of(6)
    for length in (8, 256):
        pieces = Pieces(flow, sender, pattern(900))
        options = bytes([17, length // 8 - 1, 1, length - 4]) + bytes(length - 4)  # PadN
        pieces.bytes = options + pieces.bytes
        cuts = [0, length + 8, length + 200, len(pieces.bytes)]
        parts = [pieces.piece(begin, end, protocol=60) for begin, end in itertools.pairwise(cuts)]
        for order in (parts, parts[::-1]):
            flow.inject(sender, *order)
            assert_arrives(flow, sender, pieces.data)


# What does not fit together


@pytest.mark.parametrize("family, sender", SIDES)
def test_an_overlap_ends_the_datagram(flow_of, family, sender):
    flow = flow_of(family)
    pieces = Pieces(flow, sender, pattern(800))
    end = len(pieces.bytes)
    overlaps = {
        "a block twice": [pieces.piece(0, 400), pieces.piece(392, end)],
        "within": [pieces.piece(0, 400), pieces.of(b"8 others", 80, True), pieces.piece(400, end)],
        "other bytes at the same place": [pieces.piece(0, 400), pieces.of(bytes(400), 0, True), pieces.piece(400, end)],
        "before the first": [pieces.piece(400, end), pieces.piece(0, 408)],
        "two ends": [pieces.piece(400, end), pieces.piece(400, end - 8, more=False), pieces.piece(0, 400)],
        "beyond the end": [pieces.piece(400, end), pieces.of(b"8 beyond", (end + 7) // 8 * 8, True), pieces.piece(0, 400)],
    }
    for what, those in overlaps.items():
        pieces.id = next(Pieces.ids)
        for packet in those:
            if family == 4:
                packet.id = pieces.id & 0xFFFF or 1
            else:
                packet[IPv6ExtHdrFragment].id = pieces.id
        flow.inject(sender, *those)
        assert flow.arrived(other(sender), 0.15) is None, what
    assert_serves(flow, sender)


def test_what_never_completes_is_forgotten_and_counted(relay, flow_of):
    time.sleep(TIMEOUT_S * 1.3)  # what others have left
    before = drops(relay)
    sides = [(flow_of(side.values[0]), side.values[1]) for side in SIDES]
    cuts = [Pieces(flow, sender, pattern(1301)).cut(264) for flow, sender in sides]
    for (flow, sender), pieces in zip(sides, cuts):
        flow.inject(sender, *pieces[:2], *pieces[3:])
    waiting = sum(len(pieces) - 1 for pieces in cuts)
    assert drops(relay) == before
    deadline = time.monotonic() + TIMEOUT_S + 2
    while drops(relay) - before < waiting and time.monotonic() < deadline:
        time.sleep(0.05)
    assert drops(relay) - before == waiting
    for (flow, sender), pieces in zip(sides, cuts):
        flow.inject(sender, pieces[2])
        assert_silence(flow, sender)


# Whose they are


@pytest.mark.parametrize("shape", SPREAD, ids=name_of, indirect=True)
@pytest.mark.parametrize("family", [4, 6])
def test_pieces_find_the_worker_that_has_the_port(flow_of, family):
    flows = [flow_of(family) for _ in range(8)]
    for number, flow in enumerate(flows):
        for sender in ("client", "peer"):
            data = pattern(900, number)
            flow.inject(sender, *Pieces(flow, sender, data).cut(304))
            assert_arrives(flow, sender, data)


# Who never sends the rest


def flood(flow, shape):
    for _ in range(FLOOD // BURST):
        flow.inject("peer", *(Pieces(flow, "peer", pattern(1301)).piece(0, 1240) for _ in range(BURST)))
        if shape == OWNED:
            time.sleep(REST_S)


@pytest.mark.parametrize("family", [4, 6])
def test_a_flood_of_first_pieces_takes_no_memory_and_no_media(lab, relay, shape, client_of, flow_of, family):
    flow = flow_of(family)
    before = drops(relay)
    flood(flow, shape)  # what it takes once: where pieces wait, buffers that were never used
    resident = relay.resident_kb()
    with lossless(relay, Media(lab, client_of, family)) as (media,):
        flood(flow, shape)
        assert media.lost_so_far() == 0
    # It is forgotten as it comes: what waits is bounded, and a driver in a hurry may have lost some.
    assert drops(relay) - before >= FLOOD > shape[2] * DATAGRAMS_MAX
    if not SANITIZED:
        assert relay.resident_kb() - resident < GROWN_KB_MAX
    assert_serves(flow, "peer")
