# SPDX-License-Identifier: BSD-3-Clause
"""TCP relaying (RFC 6062): connections to peers and from them, what goes through them, and what ends them."""

import contextlib
import os
import re
import socket
import struct
import threading
import time

import pytest

import ctl
import stun
from client import need
from lab import PEER, PEER4, PEER4_OTHER, RELAY4, family_of
from logs import wait_for
from monitor import ask, samples
from relay import Relay
from streams import is_closed
from terminal import Terminal
from uclient import all_came_back, totals, uclient

PER_ALLOCATION = 3
BULK = os.urandom(4 << 20)
# coturn's client takes what a read leaves of a message for lost. A message waits for the acknowledgement of the one before it, 40 ms:
# at one every 50 ms they do not gather until they take two segments. No response that it waits for may be longer than a message.
MESSAGE_LEN = 140
UCLIENT = ("-m", 2, "-n", 50, "-l", MESSAGE_LEN, "-z", 50)


@pytest.fixture(scope="module")
def lab(shaped_lab):
    return shaped_lab


@pytest.fixture(scope="module")
def relay(lab, shape, authority, tmp_path_factory):
    settings = {"workers": shape[0], "tls_threads": shape[1], "certificates": [authority.issue("server")]}
    limits = {"tcp_connections_per_allocation": PER_ALLOCATION, "user_quota": 20}
    with Relay(lab, tmp_path_factory.mktemp("relay"), tcp_relay=True, **limits, **settings) as the_relay:
        yield the_relay
    assert the_relay.in_use()["allocations"] == 0


@pytest.fixture
def control(stream_of):
    """A control connection with a TCP allocation."""
    client = stream_of()
    client.allocate(transport=stun.TCP)
    return client


@contextlib.contextmanager
def listening(lab, host=PEER4, port=0):
    with lab.inside("peer"):
        sock = socket.socket(family_of(host), socket.SOCK_STREAM)
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(16)
        sock.settimeout(5)
        yield sock


def accept(listener):
    sock, address = listener.accept()
    sock.settimeout(5)
    return sock, address[:2]


def connect(control, peer, timeout=3.0):
    message = stun.Message(stun.CONNECT).add_xor_address(stun.XOR_PEER_ADDRESS, peer[:2])
    return control.request(message, timeout)


def connection_bind(client, connection):
    return client.request(stun.Message(stun.CONNECTION_BIND).add(stun.CONNECTION_ID, struct.pack("!I", connection)))


def attempted(control):
    """The peer and the connection of the next ConnectionAttempt."""
    data = control.receive_bytes(5)
    assert data is not None, "no ConnectionAttempt"
    message = stun.decode(data)
    assert (message.method, message.message_class) == (stun.CONNECTION_ATTEMPT, stun.INDICATION)
    return message.xor_address(stun.XOR_PEER_ADDRESS), message.u32(stun.CONNECTION_ID)


def join(stream_of, connection, **options):
    """A data connection: its socket, behind the response."""
    data = stream_of(**options)
    need(connection_bind(data, connection))
    data.sock.settimeout(20)
    return data


def joined(lab, stream_of, control):
    """(data connection, peer's socket) by way of a Connect."""
    with listening(lab) as listener:
        connection = need(connect(control, listener.getsockname())).u32(stun.CONNECTION_ID)
        peer, source = accept(listener)
        assert source == control.relayed
        return join(stream_of, connection), peer


def receive(data, length):
    """Bytes that came with the response count."""
    received = bytearray(data.stream)
    while len(received) < length and (more := data.sock.recv(1 << 16)):
        received += more
    return bytes(received)


def receive_from(sock, length):
    received = bytearray()
    while len(received) < length and (more := sock.recv(1 << 16)):
        received += more
    return bytes(received)


@pytest.mark.parametrize("family", [4, 6])
def test_bytes_go_both_ways_at_once(lab, stream_of, family):
    control = stream_of(family)
    control.allocate(transport=stun.TCP, family=family)
    with listening(lab, PEER[family]) as listener:
        connection = need(connect(control, listener.getsockname())).u32(stun.CONNECTION_ID)
        peer, source = accept(listener)
        assert source == control.relayed
    data = join(stream_of, connection)
    peer.settimeout(20)
    found = {}
    ways = [
        lambda: peer.sendall(BULK),
        lambda: data.sock.sendall(BULK[::-1]),
        lambda: found.update(peer=receive_from(peer, len(BULK))),
    ]
    # OpenSSL's objects are no two threads': over TLS the ways take turns.
    if data.context is None:
        threads = [threading.Thread(target=way) for way in ways]
        for thread in threads:
            thread.start()
        found["client"] = receive(data, len(BULK))
        for thread in threads:
            thread.join()
    else:
        sender = threading.Thread(target=ways[0])
        sender.start()
        found["client"] = receive(data, len(BULK))
        sender.join()
        receiver = threading.Thread(target=ways[2])
        receiver.start()
        ways[1]()
        receiver.join()
    assert found["client"] == BULK
    assert found["peer"] == BULK[::-1]


def test_a_peer_that_may_connects_and_what_it_says_first_waits(lab, stream_of, control):
    control.permit(PEER4)
    with lab.tcp("peer", control.relayed, PEER4) as peer:
        address, connection = attempted(control)
        assert address == peer.getsockname()
        peer.sendall(b"first words")
        time.sleep(0.2)
        data = join(stream_of, connection)
        assert receive(data, 11) == b"first words"
        data.sock.sendall(b"answer")
        assert receive_from(peer, 6) == b"answer"


def test_a_peer_without_permission_is_closed(lab, control):
    control.permit(PEER4_OTHER)
    with lab.tcp("peer", control.relayed, PEER4) as peer:
        assert is_closed(peer, 3)
    assert control.receive_bytes(0.3) is None


def test_an_end_is_passed_on_and_the_other_way_stays_open(lab, stream_of, control):
    data, peer = joined(lab, stream_of, control)
    with peer:
        peer.sendall(b"the last words")
        peer.shutdown(socket.SHUT_WR)
        assert receive(data, 100) == b"the last words"
        if data.context is None:
            data.sock.sendall(b"are heard")
            data.sock.shutdown(socket.SHUT_WR)
            assert receive_from(peer, 100) == b"are heard"


def test_a_peers_reset_ends_the_data_connection(lab, stream_of, control):
    data, peer = joined(lab, stream_of, control)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert is_closed(data.sock, 3)


def test_a_client_that_leaves_ends_the_peers_connection(lab, stream_of, control):
    data, peer = joined(lab, stream_of, control)
    with peer:
        data.close()
        assert is_closed(peer, 3)
        # And its place is free: the same peer may be connected to.
    for _ in range(2 * PER_ALLOCATION):
        data, peer = joined(lab, stream_of, control)
        data.close()
        assert is_closed(peer, 3)
        peer.close()


@pytest.mark.parametrize("ending", ["refresh", "close"])
def test_the_end_of_the_allocation_ends_all_connections(lab, stream_of, control, ending):
    data, peer = joined(lab, stream_of, control)
    control.permit(PEER4)
    with peer, lab.tcp("peer", control.relayed, PEER4) as unbound:
        attempted(control)
        if ending == "refresh":
            need(control.refresh(0))
        else:
            control.close()
        assert is_closed(peer, 3)
        assert is_closed(unbound, 3)
        assert is_closed(data.sock, 3)
    with pytest.raises(OSError):
        lab.tcp("peer", control.relayed, PEER4, timeout=1)


@contextlib.contextmanager
def pouring(data, peer, length, pause_s):
    """So many bytes to the peer again and again, and a tenth of them back."""
    ending = threading.Event()

    def pour():
        while not ending.wait(pause_s):
            data.sock.sendall(bytes(length))
            assert len(receive_from(peer, length)) == length
            peer.sendall(bytes(length // 10))
            assert len(receive_from(data.sock, length // 10)) == length // 10

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_operators_see_what_goes_through(lab, relay, stream_of, control, directory):
    data, peer = joined(lab, stream_of, control)
    peer.settimeout(20)
    # Those of the tests before go as their connections do.
    wait_for(lambda: ctl.ask(relay.control_path, "status")["tcp_allocations"] == 1)
    before = ctl.ask(relay.control_path, "status")
    assert before["tcp_connections"] == 1
    with peer, Terminal(directory, [ctl.CTL, "-s", relay.control_path, "top"], 140) as terminal, \
            pouring(data, peer, 50_000, 0.05):
        line = r"^ TCP allocations 1  connections 1  to peer [\d.]+ [kM]bit/s, client [\d.]+ kbit/s$"
        terminal.wait_for(lambda screen: re.search(line, screen, re.MULTILINE))
        terminal.wait_for(lambda screen: re.search(r" alice .* [\d.]+ [kM]bit/s +[\d.]+ kbit/s .* tcp 1 ", screen))
        ctl.say(relay.control_path, "talkers")
        time.sleep(1.1)
        talkers, = ctl.ask(relay.control_path, "talkers")["allocations"].values()
        assert talkers["peers"] == "tcp" and talkers["bits_per_second"] > 1e6 and "packets_per_second" not in talkers
    status = ctl.ask(relay.control_path, "status")
    row, = ctl.ask(relay.control_path, "allocations")
    for way in ("to_peer", "to_client"):
        assert row[f"bytes_{way}"] == status[f"tcp_bytes_{way}"] - before[f"tcp_bytes_{way}"] > 0
    assert row["bytes_to_peer"] == 10 * row["bytes_to_client"]
    control.sock.close()
    wait_for(lambda: ctl.ask(relay.control_path, "status")["tcp_allocations"] == 0)


def test_nobody_there_is_447(lab, control):
    with listening(lab) as listener:
        nobody = listener.getsockname()
    assert connect(control, nobody).error == 447
    # That peer may be tried again.
    assert connect(control, nobody).error == 447


def test_a_peer_that_is_connected_to_is_446(lab, control):
    with listening(lab) as listener:
        need(connect(control, listener.getsockname()))
        assert connect(control, listener.getsockname()).error == 446


def test_the_policy_holds(control):
    assert connect(control, ("127.0.0.1", 80)).error == 403
    # Of our own addresses only relayed ones that listen.
    assert connect(control, (RELAY4, 3478)).error == 403
    assert connect(control, (RELAY4, 22)).error == 403


def test_an_allocation_has_so_many_connections(lab, control):
    with listening(lab) as listener:
        host, port = listener.getsockname()
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(listening(lab)) for _ in range(PER_ALLOCATION)]
            for other in others:
                need(connect(control, other.getsockname()))
            assert connect(control, (host, port)).error == 508


def test_a_bind_needs_a_connection_and_credentials_of_its_owner(lab, stream_of, control):
    with listening(lab) as listener:
        connection = need(connect(control, listener.getsockname())).u32(stun.CONNECTION_ID)
        assert connection_bind(stream_of(), connection ^ 1).error == 400
        assert connection_bind(stream_of(username="bob", password="builder"), connection).error == 441
        join(stream_of, connection)
        assert connection_bind(stream_of(), connection).error == 400


def test_a_connection_nobody_binds_is_closed_in_time(lab, control):
    with listening(lab) as listener:
        need(connect(control, listener.getsockname()))
        peer, _ = accept(listener)
        assert not is_closed(peer, 28)
        assert is_closed(peer, 5)


def joined_bytes(lab):
    """To peers and to clients, of all connections so far."""
    counted = samples(ask(lab, "/metrics")[1])
    return [counted[f'turnpike_stream_joined_bytes_total{{direction="{way}"}}'] for way in ("to_peer", "to_client")]


@pytest.mark.parametrize("secure", [[], ["-S"]], ids=["tcp", "tls"])
def test_coturns_clients_reach_each_other(lab, relay, secure):
    before = joined_bytes(lab)
    all_came_back(uclient(lab, *UCLIENT, "-T", *secure), at_least=100)
    # What one says goes to its peer by its own allocation and to the other's client by that one's: not a byte is missing.
    assert joined_bytes(lab) == [count + 100 * MESSAGE_LEN for count in before]


def test_coturns_clients_wait_for_each_other(lab, relay):
    """Of those that wait for a peer's connection none sends back: half of the messages, with coturn's server too.
    Over TLS this client cannot do it, with either server."""
    sent, received = totals(uclient(lab, *UCLIENT, "-P"))
    assert (sent, received) == (100, 50)
