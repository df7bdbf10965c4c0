# SPDX-License-Identifier: BSD-3-Clause
"""One, two and three workers give the same results: whatever lands on the wrong one is handed to its owner."""

import contextlib
import re
import socket
import struct
import time

import pytest

import stun
from client import Client, Refused
from lab import PEER, Lab
from relay import Relay

CLIENTS = 12
# Of two workers the first has the ports below 49216, the second those from there.
FIRST_HAS, SECOND_HAS = 4, 8
FEW_PORTS = range(49216 - FIRST_HAS, 49216 + SECOND_HAS)
# Let the kernel cut what is too long.
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT = 10, 23, 0
CUT = {
    4: (socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT),
    6: (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT),
}


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda n: f"{n}_workers")
def workers(request):
    return request.param


@pytest.fixture(scope="module")
def lab(workers):
    """A lab of this file's own: the interface has a queue for each worker."""
    with Lab(queues=workers) as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def relay(lab, workers, tmp_path_factory):
    with Relay(lab, tmp_path_factory.mktemp("relay"), workers=workers) as the_relay:
        yield the_relay
        assert the_relay.stop() == 0
        counts = the_relay.summary()
    handed_on = counts.get("frames handed to the worker that owns them", 0)
    assert (handed_on > 0) == (workers > 1), counts


@pytest.fixture
def clients(lab, relay):
    # Many sockets: the queue that a packet lands on depends on its 5-tuple.
    made = [Client(lab) for _ in range(CLIENTS)]
    for client in made:
        client.allocate()
    yield made
    for client in made:
        client.refresh(0)
        client.close()


def test_every_client_reaches_every_peer_and_back(lab, clients):
    peers = [lab.udp("peer", PEER[4]) for _ in range(CLIENTS)]
    for i, client in enumerate(clients):
        client.permit(PEER[4])
        client.bind(0x4000, peers[i].getsockname())
    for i, client in enumerate(clients):
        for j, peer in enumerate(peers):
            marker = b"%d to %d" % (i, j)
            if i == j:
                client.send_channel(0x4000, marker)
            else:
                client.send_indication(peer.getsockname(), marker)
            data, source = peer.recvfrom(2048)
            assert (data, source) == (marker, client.relayed)
            peer.sendto(marker, client.relayed)
            expected = (0x4000, None, marker) if i == j else (None, peer.getsockname(), marker)
            assert client.receive() == expected
    for peer in peers:
        peer.close()


def test_every_client_reaches_every_other(clients):
    for client in clients:
        client.permit(clients[0].relayed)
    for i, client in enumerate(clients):
        other = clients[(i + 1) % CLIENTS]
        client.bind(0x4000, other.relayed)
        client.send_channel(0x4000, b"%d" % i)
        data = other.receive()
        assert data is not None and data[2] == b"%d" % i


def test_a_reserved_port_serves_whoever_claims_it(lab, relay):
    # The claimant's packets may land on another worker than the one that the port belongs to.
    for _ in range(8):
        with Client(lab) as first, Client(lab) as second, lab.udp("peer", PEER[4]) as peer:
            token = first.allocate((stun.EVEN_PORT, b"\x80")).get(stun.RESERVATION_TOKEN)
            second.allocate((stun.RESERVATION_TOKEN, token))
            assert second.relayed[1] == first.relayed[1] + 1
            second.permit(PEER[4])
            second.send_indication(peer.getsockname(), b"claimed")
            data, source = peer.recvfrom(2048)
            assert (data, source) == (b"claimed", second.relayed)
            peer.sendto(b"answered", second.relayed)
            assert second.receive() == (None, peer.getsockname(), b"answered")
            second.bind(0x4000, peer.getsockname())
            second.send_channel(0x4000, b"by channel")
            assert peer.recv(2048) == b"by channel"
            first.refresh(0)
            second.refresh(0)


def test_both_families_of_one_allocation_are_served(lab, relay):
    with Client(lab) as client:
        response = client.allocate((stun.ADDITIONAL_ADDRESS_FAMILY, struct.pack("!BBH", stun.IPV6, 0, 0)))
        relayed = [stun.decode_address(v, response.transaction_id) for v in response.all(stun.XOR_RELAYED_ADDRESS)]
        client.permit(PEER[4], PEER[6])
        for ours, host in zip(relayed, (PEER[4], PEER[6])):
            with lab.udp("peer", host) as peer:
                peer.sendto(b"hello", ours)
                assert client.receive() == (None, peer.getsockname()[:2], b"hello")
        client.refresh(0)


@pytest.mark.ipv4_fragments
def test_fragments_that_land_on_different_workers_come_together(lab, clients):
    client = clients[0]
    data = bytes(i * 11 & 0xFF for i in range(4000))
    for peer_number in range(6):
        with lab.udp("peer", PEER[4]) as peer:
            peer.setsockopt(*CUT[4])
            client.permit(PEER[4])
            peer.sendto(data, client.relayed)
            assert client.receive() == (None, peer.getsockname(), data), f"peer {peer_number}"


@pytest.mark.parametrize("version", [pytest.param(4, marks=pytest.mark.ipv4_fragments), 6])
def test_a_clients_fragments_find_its_allocation(lab, relay, version):
    # Fragments are spread by their addresses alone, for want of ports: not to where the rest of the flow goes.
    data = bytes(i * 17 & 0xFF for i in range(4000))
    with lab.udp("peer", PEER[4]) as peer:
        for _ in range(CLIENTS):
            with Client(lab, family=version) as client:
                client.allocate(family=4)
                client.bind(0x4000, peer.getsockname())
                client.sock.setsockopt(*CUT[version])
                client.send_channel(0x4000, data)
                assert peer.recvfrom(65536) == (data, client.relayed)
                client.send_indication(peer.getsockname(), data)
                assert peer.recvfrom(65536) == (data, client.relayed)
                client.refresh(0)


def test_data_of_a_client_whose_queue_moves_finds_its_allocation(lab, workers, clients):
    with lab.udp("peer", PEER[4]) as peer:
        for client in clients:
            client.bind(0x4000, peer.getsockname())
        for queue in range(workers):
            with lab.all_by_queue("client", queue):
                for client in clients:
                    client.send_channel(0x4000, b"%d" % queue)
                    assert peer.recvfrom(2048) == (b"%d" % queue, client.relayed)
                    client.send_indication(peer.getsockname(), b"and %d" % queue)
                    assert peer.recvfrom(2048) == (b"and %d" % queue, client.relayed)


def blocks_of(text):
    """The live figures: [(line of the sum, {worker's name: its line})], each line as its columns."""
    blocks = []
    for columns in map(str.split, text.splitlines()):
        if len(columns) == 9 and columns[0].isdigit():
            blocks.append((columns, {}))
        elif len(columns) == 9 and columns[0].startswith("w") and blocks:
            blocks[-1][1][columns[0]] = columns
    return blocks


def test_the_figures_say_what_each_worker_did(lab, relay, workers, clients):
    for client in clients:
        client.permit(PEER[4])
        with lab.udp("peer", PEER[4]) as peer:
            client.send_indication(peer.getsockname(), b"counted")
            assert peer.recv(2048) == b"counted"
    time.sleep(2)
    blocks = blocks_of(relay.stats_path.read_text())
    names = {f"w{i}" for i in range(workers)} if workers > 1 else set()
    busy = set()
    # The last one may be in the middle of being written.
    for total, of_worker in blocks[:-1]:
        assert set(of_worker) == names
        relayed = {name: int(columns[1]) for name, columns in of_worker.items()}
        assert not names or abs(sum(relayed.values()) - int(total[1])) <= workers  # they are rounded
        busy |= {name for name, rate in relayed.items() if rate > 0}
    assert busy == names


@pytest.fixture
def few_ports(tmp_path):
    """A lab and a relay of two workers, with few ports."""
    with Lab(queues=2) as the_lab:
        with Relay(the_lab, tmp_path, workers=2, min_port=FEW_PORTS[0], max_port=FEW_PORTS[-1]) as the_relay:
            yield the_lab, the_relay


def allocate_in_time(client, seconds=5):
    """Ports that were given back serve again once their worker has let go of them."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client.allocate()
        except Refused as refused:
            if refused.error != 508 or time.monotonic() > deadline:
                raise


def exchange(client, peer, number):
    """A datagram each way, with a permission and by channel."""
    client.permit(PEER[4])
    client.send_indication(peer.getsockname(), b"sent")
    assert peer.recvfrom(2048) == (b"sent", client.relayed)
    peer.sendto(b"answered", client.relayed)
    assert client.receive() == (None, peer.getsockname(), b"answered")
    client.bind(number, peer.getsockname())
    client.send_channel(number, b"by channel")
    assert peer.recvfrom(2048) == (b"by channel", client.relayed)
    peer.sendto(b"back", client.relayed)
    assert client.receive() == (number, None, b"back")


def figures_of_workers(relay):
    """What each did, as printed when the relay stopped: [{column: count}]."""
    columns = ("received", "transmitted", "to peers", "to clients", "handed on", "dropped")
    rows = re.findall(r"^ *w\d+" + r" +(\d+)" * len(columns) + "$", relay.stats_path.read_text(), re.MULTILINE)
    return [dict(zip(columns, map(int, row))) for row in rows]


def test_every_port_of_the_range_is_given_before_anyone_is_refused(few_ports):
    lab, relay = few_ports
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(lab)) for _ in FEW_PORTS]
        late = stack.enter_context(Client(lab))
        peer = stack.enter_context(lab.udp("peer", PEER[4]))
        with lab.all_by_queue("client", 0):
            for client in clients:
                client.allocate()
            for client in clients:
                client.refresh(0)
            for client in clients:
                allocate_in_time(client)
            assert sorted(client.relayed[1] for client in clients) == list(FEW_PORTS)
            for client in clients:
                exchange(client, peer, 0x4000)
        for queue in range(2):
            with lab.all_by_queue("client", queue), pytest.raises(Refused) as refused:
                late.allocate()
            assert refused.value.error == 508
        assert relay.stop() == 0
    in_use = relay.in_use()
    assert in_use["allocations"] == in_use["relay_ports"] == in_use["table_allocations"] == len(FEW_PORTS)
    # The first worker hands on two datagrams of each client that has a port of the second, besides those of peers.
    first, second = figures_of_workers(relay)
    assert (first["to peers"], first["to clients"]) == (2 * FIRST_HAS, 2 * FIRST_HAS)
    assert (second["to peers"], second["to clients"]) == (2 * SECOND_HAS, 2 * SECOND_HAS)
    # net_af_packet's queues are Linux's choice, whatever queue of the interface a packet came by.
    if lab.mode == "shared":
        assert first["handed on"] >= 2 * SECOND_HAS
