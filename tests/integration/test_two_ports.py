# SPDX-License-Identifier: BSD-3-Clause
"""A relay with two devices, clients behind the one and peers behind the other: what leaves by which, what the kernel has behind
each, and that what becomes of one is nothing to the other."""

import contextlib
import json
import logging
import socket
import subprocess
import time

import pytest

import ctl
import monitor
import telemetry
from client import Client
from fixtures import own_lab, own_relay
from lab import CLIENT4_OTHER, GATEWAY, PEER, RELAY, RELAY_SIDE, RELAY_SIDE_GATEWAY, Lab
from media import FastMedia, lossless
from pings import answers
from relay import BINARY, DEFAULTS, Relay, render_config, two_ports
from tags import VLAN, send_as_they_are, tag_gateway
from test_twin import transfer

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0

lab = own_lab(mode="two-ports")
# Where no relay is yet.
free_lab = own_lab(mode="two-ports")
relay = own_relay(metrics_listen=["127.0.0.1"], metrics_port=monitor.METRICS_PORT)


@pytest.fixture(params=[4, 6])
def family(request):
    return request.param


def packets(lab, name, what):
    """Of the wire's end at the core: rx is what the relay sent."""
    return int(lab.run("core", "cat", f"/sys/class/net/{name}/statistics/{what}_packets").stdout)


WIRES = [(name, what) for name in ("relay", "relay1") for what in ("rx", "tx")]


class Count:
    """Of what passed on the wires since it was made."""

    def __init__(self, lab):
        self.lab = lab
        self.before = {wire: packets(lab, *wire) for wire in WIRES}

    def __getitem__(self, wire):
        return packets(self.lab, *wire) - self.before[wire]


def echo(client, peer, count=200):
    """So many there and back, one after the other."""
    for i in range(count):
        client.send_channel(0x4000, b"%d" % i)
        data, source = peer.recvfrom(2048)
        peer.sendto(data, source)
        assert client.receive()[2] == b"%d" % i


def test_media_goes_between_the_devices_and_nothing_of_it_goes_back(lab, relay, client_of, family):
    with client_of(family) as client, lab.udp("peer", PEER[family]) as peer:
        client.allocate(family=family)
        client.bind(0x4000, peer.getsockname()[:2])
        count = Count(lab)
        echo(client, peer)
        # Each way once over each; neighbours are asked for beside.
        assert all(200 <= count[wire] < 240 for wire in WIRES), {wire: count[wire] for wire in WIRES}


def test_a_peer_on_the_clients_side_is_reached_there(lab, relay, client_of):
    with client_of(4) as client, lab.udp("client", CLIENT4_OTHER) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        count = Count(lab)
        echo(client, peer)
        assert count["relay", "rx"] >= 400 and count["relay1", "rx"] < 40


@pytest.mark.parametrize("side", [RELAY, RELAY_SIDE])
def test_ping_and_tcp_go_by_either_twin_while_media_flows(lab, relay, client_of, family, side):
    # A neighbour's pings, too: the answers leave by the twin that they came by.
    with lossless(relay, FastMedia(lab, client_of, family)):
        assert answers(lab, side[family])
        near = GATEWAY if side is RELAY else RELAY_SIDE_GATEWAY
        assert answers(lab, side[family], "-I", near[family], role="core")
        transfer(lab, side[family], 22, 1)


PEERS = {4: "203.0.113.0/24", 6: "2001:db8:203::/64"}


@contextlib.contextmanager
def peers_behind_the_first(lab, family):
    """For the relay; what peers send comes by the second as before."""
    version = f"-{family}"
    # Known before they are needed: the relay asks for a MAC address when a route leads there.
    assert answers(lab, GATEWAY[family], role="relay")
    lab.run("relay", "ip", version, "route", "replace", PEERS[family], "via", GATEWAY[family])
    try:
        yield
    finally:
        assert answers(lab, RELAY_SIDE_GATEWAY[family], role="relay")
        lab.run("relay", "ip", version, "route", "replace", PEERS[family], "via", RELAY_SIDE_GATEWAY[family])


def wait_until_it_goes_by(lab, media, wire, other):
    """A hundred datagrams in a row, and next to nothing by the other."""
    deadline = time.monotonic() + 10
    while True:
        count, before = Count(lab), len(media.received)
        while len(media.received) < before + 100:
            assert time.monotonic() < deadline, (count[wire], count[other])
            time.sleep(0.01)
        if count[wire] >= 100 and count[other] < 20:
            return


def resumes_by(count, wire):
    deadline = time.monotonic() + 10
    while count[wire] < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_route_that_moves_to_the_other_twin_moves_media_and_loses_none(lab, relay, client_of, family):
    with lossless(relay, FastMedia(lab, client_of, family)) as [media]:
        for _ in range(3):
            with peers_behind_the_first(lab, family):
                # To the peer and to the client.
                wait_until_it_goes_by(lab, media, ("relay", "rx"), ("relay1", "rx"))
            count = Count(lab)
            resumes_by(count, ("relay1", "rx"))


def link(lab, name):
    return json.loads(lab.run("relay", "ip", "-j", "link", "show", "dev", name).stdout)[0]


def has_carrier(lab, name):
    return "LOWER_UP" in link(lab, name)["flags"]


def test_one_side_down_leaves_what_does_not_need_it_unharmed(lab, relay, client_of, family):
    def beside():
        with client_of(family) as client:
            client.allocate(family=family)
            assert client.refresh(0).is_success
        assert answers(lab, RELAY[family])

    with FastMedia(lab, client_of, family) as media:
        media.resumes_within(2)
        lab.run("core", "ip", "link", "set", "relay1", "down")
        try:
            beside()
            seen = len(media.received)
            beside()
            assert len(media.received) == seen
            assert [has_carrier(lab, twin) for twin in ("twin0", "twin1")] == [True, False]
        finally:
            lab.run("core", "ip", "link", "set", "relay1", "up")
            # The core loses its routes with the link.
            for command in ["route replace 192.0.2.0/24 via 10.3.0.1 table 3",
                            "-6 address replace 2001:db8:3::fe/64 dev relay1",
                            "-6 route replace 2001:db8:2::/64 via 2001:db8:3::1 table 3"]:
                lab.run("core", "ip", *command.split())
        media.resumes_within(5)
        assert has_carrier(lab, "twin1")


def test_each_device_is_counted_by_itself(lab, relay, client_of):
    ports = telemetry.ask(relay, "/turnpike/ports")
    names = [port["name"] for port in ports["ports"].values()]
    assert names == ["net_af_packet0", "net_af_packet1"]
    assert "iface=relay0" in ports["uses"]["device"]["found"]
    assert "iface=relay1" in ports["relay_uses"]["device"]["found"]
    with client_of(4) as client, lab.udp("client", CLIENT4_OTHER) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        before = telemetry.ask(relay, "/turnpike/ports")["ports"]
        for _ in range(200):
            client.send_channel(0x4000, bytes(100))
            peer.recv(2048)
        after = telemetry.ask(relay, "/turnpike/ports")["ports"]
    moved = [{item: after[i][item] - before[i][item] for item in ("rx_packets", "tx_packets")} for i in after]
    assert moved[0]["rx_packets"] >= 200 <= moved[0]["tx_packets"]
    assert moved[1]["rx_packets"] < 20 > moved[1]["tx_packets"]
    page = monitor.samples(monitor.ask(lab, "/metrics")[1])
    for port in after.values():
        assert page[f'turnpike_port_received_packets_total{{port="{port["name"]}"}}'] >= port["rx_packets"]
    table = ctl.say(relay.control_path, "ports")
    assert "net_af_packet0" in table and "net_af_packet1" in table and table.count("rx_checksums") == 2


def test_each_twin_is_its_device_to_the_kernel(free_lab, tmp_path):
    free_lab.run("relay", "ip", "link", "set", "relay1", "mtu", 1400)
    try:
        with Relay(free_lab, tmp_path):
            for number in "01":
                twin, device = link(free_lab, f"twin{number}"), link(free_lab, f"relay{number}")
                assert (twin["address"], twin["mtu"]) == (device["address"], device["mtu"])
                assert "LOWER_UP" in twin["flags"]
    finally:
        free_lab.run("relay", "ip", "link", "set", "relay1", "mtu", 1500)


def test_what_is_too_long_for_the_device_that_it_leaves_by_is_cut_up(free_lab, tmp_path):
    with Relay(free_lab, tmp_path, relay_mtu=1400) as relay:
        with Client(free_lab) as client, free_lab.udp("peer", PEER[4]) as peer:
            client.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            client.allocate()
            client.bind(0x4000, peer.getsockname())
            data = bytes(range(256)) * 5 + bytes(140)
            client.send_channel(0x4000, data)
            received, source = peer.recvfrom(2048)
            assert received == data
            peer.sendto(received, source)
            assert client.receive()[2] == data
        assert relay.stop() == 0
        counts = relay.summary()
    assert counts["datagrams sent as fragments"] == 1


@pytest.fixture(scope="module")
def half_tagged_lab(tmp_path_factory):
    """Tags on the relay side, where nothing else passes, and none on the other, where nothing with one does."""
    with Lab(mode="two-ports", queues=1) as the_lab:
        tag_gateway(the_lab, tmp_path_factory.mktemp("tags"), link="relay1")
        yield the_lab


@pytest.fixture
def half_tagged_relay(half_tagged_lab, tmp_path):
    with Relay(half_tagged_lab, tmp_path, workers=1, relay_vlan=VLAN) as the_relay:
        yield the_relay


def test_the_relay_side_is_on_a_vlan_and_the_clients_is_not(half_tagged_lab, half_tagged_relay, family):
    lab = half_tagged_lab
    said = telemetry.ask(half_tagged_relay, "/turnpike/ports")
    assert (said["uses"]["vlan"]["used"], said["relay_uses"]["vlan"]["used"]) == ("none", str(VLAN))
    with Client(lab, family) as client, lab.udp("peer", PEER[family]) as peer:
        client.allocate(family=family)
        client.bind(0x4000, peer.getsockname()[:2])
        count = Count(lab)
        echo(client, peer)
        assert all(200 <= count[wire] < 240 for wire in WIRES), {wire: count[wire] for wire in WIRES}
    assert answers(lab, RELAY[family])
    assert answers(lab, RELAY_SIDE[family], role="peer")


def test_a_wrong_tag_ends_on_either_side_and_is_counted(half_tagged_lab, half_tagged_relay, client_of):
    lab = half_tagged_lab
    with Client(lab) as client, lab.udp("peer", PEER[4]) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        host, port = client.relayed
        source, data = peer.getsockname(), b"by another way"
        datagram = IP(src=source[0], dst=host) / UDP(sport=source[1], dport=port) / data
        to = [Ether(dst=link(lab, f"relay{number}")["address"]) for number in "01"]
        others = [bytes(to[1] / Dot1Q(vlan=VLAN + 1) / datagram), bytes(to[1] / datagram)]
        send_as_they_are(lab, others * 10, "relay1")
        # Of the client's side no tag is known: such frames are the kernel's, which has no such VLAN.
        send_as_they_are(lab, [bytes(to[0] / Dot1Q(vlan=VLAN) / datagram)] * 10, "relay")
        send_as_they_are(lab, [bytes(to[1] / Dot1Q(vlan=VLAN) / datagram)], "relay1")
        assert client.receive() == (0x4000, None, data)
        assert client.receive(0.5) is None
    drops = telemetry.ask(half_tagged_relay, "/turnpike/drops")["drops"]
    assert drops["other_vlan"] == 20


def test_a_relay_that_was_killed_is_followed_by_another(free_lab, tmp_path):
    relay = Relay(free_lab, tmp_path)
    for _ in range(2):
        relay.start()
        with Client(free_lab) as client, free_lab.udp("peer", PEER[4]) as peer:
            client.allocate()
            client.bind(0x4000, peer.getsockname())
            client.send_channel(0x4000, b"there")
            assert peer.recv(2048) == b"there"
        relay.kill()
    relay.start()
    assert relay.stop() == 0
    assert link(free_lab, "twin1")["operstate"] is not None


REFUSED = [
    ({"device": ""}, "relay_device: is a second device, and there is no first"),
    ({"relay_interface": ""}, "relay_device: has no twin"),
    ({"relay_interface": "twin0"}, 'relay_interface: "twin0" is the interface of device'),
    ({"relay_device": "net_af_packet0,iface=relay1"}, "is device; allowed: another one"),
    ({"relay_device": "eth1"}, '"eth1" is no device'),
    ({"relay_device": "", "relay_interface": "", "relay_vlan": 7}, "relay_vlan: is of relay_device, and there is none"),
]


@pytest.mark.parametrize("wrong, said", REFUSED)
def test_what_cannot_be_is_refused_with_file_and_line(tmp_path, wrong, said):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**DEFAULTS, **two_ports(), **wrong}))
    result = subprocess.run([BINARY, "--check-config", "-c", config], capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if said in line]
    assert lines and lines[0].startswith(f"{config}:"), result.stderr
    assert lines[0].split(":")[1].isdigit()


FAILS = [
    ({"relay_device": "net_af_packet1,iface=nowhere"}, "DPDK has no device net_af_packet1,iface=nowhere"),
    ({"relay_interface": "relay0"}, "relay0 is there already, and is no TAP that is free: give relay_interface another name"),
]


@pytest.mark.parametrize("wrong, said", FAILS)
def test_a_second_device_that_fails_leaves_nothing_of_the_first(free_lab, tmp_path, wrong, said):
    relay = Relay(free_lab, tmp_path, **wrong)
    relay.launch()
    assert relay.process.wait(20) == 1
    assert said in relay.log()
    with Relay(free_lab, tmp_path):
        assert answers(free_lab, RELAY[4])


def test_ends_when_the_second_twin_is_deleted(tmp_path):
    with Lab(mode="two-ports") as other:
        relay = Relay(other, tmp_path)
        relay.start()
        other.run("relay", "ip", "link", "delete", "twin1")
        assert relay.process.wait(10) == 1
        assert "interface_gone" in relay.log()
