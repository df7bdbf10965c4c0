# SPDX-License-Identifier: BSD-3-Clause
"""The twin of a device in a network namespace of its own: the kernel's part of the relay lives there, its operators'
stays."""

import contextlib
import json
import socket
import subprocess
import time

import pytest

import stun
from client import need
from lab import GATEWAY, RELAY4, RELAY6, Lab
from media import Media, lossless
from pings import answers
from relay import BINARY, DEFAULTS, Relay, owned, render_config
from streams import StreamClient
from test_tcp_relay import joined, listening

METRICS_PORT = 9641


@contextlib.contextmanager
def outside_lab():
    """The host relay has the wire; all that is the kernel's is in the host outside."""
    with Lab(mode="owned") as the_lab:
        subprocess.run(["ip", "netns", "add", the_lab.namespace("outside")], check=True)
        the_lab.run("relay", "ip", "link", "delete", "twin0")
        for command in ["link set lo up", "tuntap add dev twin0 mode tap", "link set twin0 up"]:
            the_lab.run("outside", "ip", *command.split())
        the_lab.run("outside", "sysctl", "-qw", "net.ipv6.conf.twin0.accept_dad=0")
        for address in (f"{RELAY4}/24", f"{RELAY6}/64"):
            the_lab.run("outside", "ip", "address", "add", address, "dev", "twin0")
        for gateway in GATEWAY.values():
            the_lab.run("outside", "ip", "route", "add", "default", "via", gateway)
        yield the_lab


@pytest.fixture(scope="module")
def lab():
    with outside_lab() as the_lab:
        yield the_lab


class OutsideRelay(Relay):
    def find_gateways(self):
        for gateway in GATEWAY.values():
            self.lab.run("outside", "ping", "-c", 1, "-W", 2, gateway)


@pytest.fixture(scope="module", params=[0, 2])
def relay(request, lab, authority, tmp_path_factory):
    settings = {"tls_threads": request.param, "tcp_relay": True, "certificates": [authority.issue("server")]}
    settings |= {"metrics_listen": ["127.0.0.1"], "metrics_port": METRICS_PORT}
    netns = lab.namespace("outside")
    settings["interface_netns"] = f"/run/netns/{netns}" if request.param else netns
    with OutsideRelay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
        yield the_relay
    assert lab.sysctl("outside", "net.ipv4.ip_local_reserved_ports") == ""
    assert "proto 112" not in lab.run("outside", "ip", "neigh").stdout


@pytest.fixture
def stream_of(lab, authority):
    clients = []

    def make(*arguments, **options):
        clients.append(StreamClient(lab, *arguments, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_media_and_ping_pass_beside_each_other(lab, relay, client_of):
    with lossless(relay, Media(lab, client_of, 4), Media(lab, client_of, 6)):
        for host in (RELAY4, RELAY6):
            assert answers(lab, host, count=10)


@pytest.mark.parametrize("over_tls", [False, True])
def test_clients_connect_there(lab, relay, authority, over_tls):
    with StreamClient(lab, context=authority.context() if over_tls else None) as client:
        client.allocate()
        client.refresh(0)


def test_peers_of_tcp_allocations_are_reached_from_there(lab, relay, stream_of):
    control = stream_of()
    control.allocate(transport=stun.TCP)
    data, peer = joined(lab, stream_of, control)
    with peer:
        peer.sendall(b"from the peer")
        received = data.stream
        while len(received) < 13:
            received += data.sock.recv(64)
        assert received == b"from the peer"
    # And it listens there.
    with listening(lab) as listener:
        need(control.create_permission(listener.getsockname()[0]))
    with lab.tcp("peer", control.relayed, host="203.0.113.2"):
        assert control.receive_bytes(5) is not None


def test_changes_there_are_followed(lab, relay, client_of):
    with Media(lab, client_of) as media:
        time.sleep(0.2)
        lab.run("outside", "ip", "route", "delete", "default", "via", GATEWAY[4])
        time.sleep(0.2)
        before = len(media.received)
        time.sleep(0.2)
        assert len(media.received) == before
        lab.run("outside", "ip", "route", "add", "default", "via", GATEWAY[4])
        time.sleep(0.2)
        assert len(media.received) > before


def test_the_relays_ports_are_reserved_there_and_nowhere_else(lab, relay):
    name = "net.ipv4.ip_local_reserved_ports"
    assert lab.sysctl("outside", name) == "49152-65535"
    assert lab.sysctl("relay", name) == ""


def test_what_operators_use_stays(lab, relay):
    with lab.inside("relay"):
        assert socket.create_connection(("127.0.0.1", METRICS_PORT), timeout=5).close() is None
    with lab.inside("outside"), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", METRICS_PORT), timeout=5)
    links = json.loads(lab.run("relay", "ip", "-j", "link").stdout)
    assert "twin0" not in [link["ifname"] for link in links]


def test_says_that_there_is_no_such_namespace(lab, tmp_path):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**DEFAULTS, **owned(), "interface_netns": "nowhere"}))
    result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15)
    assert result.returncode == 1
    assert "cannot enter the network namespace /run/netns/nowhere: No such file" in result.stderr


def test_says_that_it_may_not_enter(lab, tmp_path):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**DEFAULTS, **owned(), "interface_netns": lab.namespace("outside")}))
    little = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw"]
    result = lab.run("relay", *little, BINARY, "-c", config, check=False, timeout=15)
    assert result.returncode == 1
    assert "CAP_SYS_ADMIN" in result.stderr
