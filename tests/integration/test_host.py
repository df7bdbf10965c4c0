# SPDX-License-Identifier: BSD-3-Clause
"""The host that shares its interface with the relay notices nothing: ping, ARP, TCP and its own UDP go on as ever, and the
relay follows the kernel's neighbours and routes."""

import itertools
import socket
import threading
import time

import pytest

from lab import CLIENT4, CLIENT6, PEER, PEER4, RELAY4, RELAY6
from media import Media
from pings import answers

@pytest.fixture
def media(lab, relay, client_of):
    with Media(lab, client_of) as the_media:
        yield the_media
    assert the_media.lost == 0


@pytest.mark.parametrize("role, host", itertools.product(["client", "peer"], [RELAY4, RELAY6]))
def test_ping_is_answered_while_media_flows(lab, media, role, host):
    assert answers(lab, host, role=role, count=10)


def test_tcp_connections_carry_bulk_data_while_media_flows(lab, media):
    # As an SSH session would: a stream of a megabyte there and back.
    with lab.inside("relay"):
        server = socket.create_server((RELAY4, 22))
    data = bytes(range(256)) * 4096

    def serve():
        connection, _ = server.accept()
        with connection:
            while chunk := connection.recv(65536):
                connection.sendall(chunk)

    thread = threading.Thread(target=serve)
    thread.start()
    with lab.inside("client"):
        connection = socket.create_connection((RELAY4, 22), timeout=5)
    received = bytearray()
    sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
    sender.start()
    while chunk := connection.recv(65536):
        received += chunk
    sender.join()
    thread.join()
    connection.close()
    server.close()
    assert received == data


def test_the_hosts_own_udp_services_are_reached(lab, media):
    with lab.udp("relay", RELAY4, 53) as server, lab.udp("client", CLIENT4) as client:
        for i in range(20):
            client.sendto(b"query %d" % i, (RELAY4, 53))
            data, source = server.recvfrom(2048)
            server.sendto(data[::-1], source)
            assert client.recv(2048) == data[::-1]


@pytest.mark.parametrize("host, far", [(RELAY4, PEER4), (RELAY6, PEER[6])])
def test_the_hosts_own_udp_clients_get_their_answers(lab, media, host, far):
    # The kernel picks their ports: none may fall into the relay's range.
    with lab.udp("peer", far) as server:
        for _ in range(100):
            with lab.udp("relay", host) as client:
                client.sendto(b"query", server.getsockname()[:2])
                data, source = server.recvfrom(2048)
                server.sendto(b"answer", source)
                assert client.recv(2048) == b"answer"


def test_udp_to_a_closed_port_is_refused_by_the_kernel(lab, media):
    with lab.udp("client", CLIENT4) as client:
        client.connect((RELAY4, 9))
        client.send(b"anyone?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(2048)


@pytest.mark.parametrize("host, source", [(RELAY4, CLIENT4), (RELAY6, CLIENT6)])
def test_neighbours_find_the_host_anew(lab, media, host, source):
    # The router forgets the host's MAC address: ARP and neighbour discovery are the kernel's to answer. Not by flushing,
    # which goes round until nothing is left and so throws away packets that wait for the first answer.
    lab.run("client", "ping", "-c", 1, "-W", 2, "-I", source, host)
    for known in {RELAY4, host}:
        lab.run("core", "ip", "neigh", "delete", known, "dev", "relay")
    assert answers(lab, host, "-I", source)


def flows_again(media, within_s):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        before = len(media.received)
        time.sleep(0.2)
        if len(media.received) > before + 10:
            return True
    return False


@pytest.mark.parametrize("family", [4, 6])
def test_media_goes_on_when_the_kernel_forgets_its_neighbours(lab, relay, client_of, family):
    with Media(lab, client_of, family) as media:
        time.sleep(0.2)
        # They come back faster than the command can see them all gone.
        lab.run("relay", "ip", "neigh", "flush", "dev", lab.interface, check=False)
        assert flows_again(media, within_s=3)


@pytest.mark.parametrize("family", [4, 6])
def test_media_follows_a_gateway_that_changes_its_mac_address(lab, relay, client_of, family):
    link = lab.run("core", "cat", "/sys/class/net/relay/address").stdout.strip()
    try:
        with Media(lab, client_of, family) as media:
            # The lab's router announces it, as a failover does. ARP believes no change within a second of another.
            time.sleep(1.2)
            lab.run("core", "ip", "link", "set", "relay", "address", "02:00:00:00:00:99")
            assert flows_again(media, within_s=10)
    finally:
        time.sleep(1.2)
        lab.run("core", "ip", "link", "set", "relay", "address", link)


def test_media_follows_a_changed_route(lab, relay, client_of):
    lab.run("core", "ip", "link", "add", "link", "relay", "name", "second", "type", "macvlan", "mode", "private")
    lab.run("core", "ip", "link", "set", "second", "up")
    lab.run("core", "ip", "address", "add", "192.0.2.253/32", "dev", "second")
    try:
        with Media(lab, client_of) as media:
            time.sleep(0.2)
            lab.run("relay", "ip", "route", "replace", "default", "via", "192.0.2.253")
            # The frames really go to the second gateway: its counter grows.
            counter = "/sys/class/net/second/statistics/rx_packets"
            before = int(lab.run("core", "cat", counter).stdout)
            assert flows_again(media, within_s=5)
            time.sleep(0.5)
            assert int(lab.run("core", "cat", counter).stdout) > before + 50
    finally:
        lab.run("relay", "ip", "route", "replace", "default", "via", "192.0.2.254")
        lab.run("core", "ip", "link", "delete", "second")
