# SPDX-License-Identifier: BSD-3-Clause
"""A relay that owns its device whole makes the kernel a twin of it. That it relays, and that the host behind it lives as
ever, is what the other files say with TURNPIKE_MODE=owned; here is what only this mode has."""

import json
import logging
import re
import socket

import pytest

import telemetry
from client import Client
from fixtures import own_lab
from lab import PEER, PEER4, PEER6, RELAY4, RELAY6, WORKERS, Lab
from pings import answers
from relay import BINARY, DEFAULTS, Relay, owned, render_config
from tags import VLAN, send_as_they_are, tag_gateway

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402

IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IP_UDP_LEN, CHANNEL_HEAD_LEN = 28, 4

SETTINGS = {**DEFAULTS, **owned()}

lab = own_lab(mode="owned")


@pytest.fixture
def relay(lab, tmp_path):
    with Relay(lab, tmp_path) as the_relay:
        yield the_relay


def link(lab, name):
    output = lab.run("relay", "ip", "-j", "link", "show", "dev", name, check=False).stdout
    return json.loads(output)[0] if output.strip() else None


def test_the_twin_is_the_device_to_the_kernel(lab, relay):
    twin, device = link(lab, "twin0"), link(lab, "relay0")
    assert (twin["address"], twin["mtu"]) == (device["address"], device["mtu"])
    assert "UP" in twin["flags"] and "LOWER_UP" in twin["flags"]


def uses(relay):
    """What it says at the start of its device: a row an item."""
    rows = re.findall(r"info port_uses item=(\w+)(.*)", relay.log())
    return {item: dict(re.findall(r'(\w+)=("[^"]*"|\S+)', pairs)) for item, pairs in rows}


def test_says_what_it_found_what_it_uses_and_why(lab, relay):
    said = uses(relay)
    assert said["device"]["found"].startswith('"net_af_packet0,')
    assert said["driver"]["found"] == "net_af_packet"
    assert said["mac"]["found"] == link(lab, "relay0")["address"]
    assert said["queues"]["used"] == str(WORKERS)
    assert said["hugepages"]["used"] == "no"
    assert said["mtu"]["used"] == "1500"
    assert all(item in said for item in ["link", "rss", "steering", "rx_checksums", "tx_checksums", "numa", "buffers"])
    asked = telemetry.ask(relay, "/turnpike/ports")["uses"]
    assert list(asked) == list(said)
    assert asked["rss"]["why"] in relay.log()


def test_a_twin_that_was_not_there_comes_and_goes_with_the_relay(tmp_path):
    with Lab(mode="owned") as lab:
        lab.run("relay", "ip", "link", "delete", "twin0")
        relay = Relay(lab, tmp_path)
        relay.launch()
        relay.wait_for_event("started")
        lab.run("relay", "ip", "address", "add", "192.0.2.1/24", "dev", "twin0")
        lab.run("relay", "ip", "route", "add", "default", "via", "192.0.2.254")
        relay.wait_until_it_serves()
        assert answers(lab, RELAY4)
        assert relay.stop() == 0
        assert link(lab, "twin0") is None


def test_a_twin_that_was_there_keeps_its_addresses(lab, tmp_path):
    for _ in range(3):
        with Relay(lab, tmp_path):
            assert answers(lab, RELAY6)
    # And after one that was killed.
    relay = Relay(lab, tmp_path)
    relay.start()
    relay.kill()
    with Relay(lab, tmp_path):
        assert answers(lab, RELAY4)


def test_every_frame_is_accounted_for(lab, tmp_path):
    with Relay(lab, tmp_path) as relay:
        assert answers(lab, RELAY4)
        assert answers(lab, RELAY6)
        assert relay.stop() == 0
        counts = relay.summary()
    assert counts["frames passed to the kernel's twin of the device"] >= 6
    assert counts["frames of the kernel taken over to be transmitted"] >= 6
    assert relay.in_use()["buffers"] < 64


def test_datagrams_in_fragments_reach_the_hosts_own_services(lab, relay):
    data = bytes(i * 7 & 0xFF for i in range(5000))
    with lab.udp("relay", RELAY6, 53) as server, lab.udp("peer", PEER6) as client:
        client.sendto(data, (RELAY6, 53))
        received, source = server.recvfrom(65536)
        assert received == data
        server.sendto(received[::-1], source)
        assert client.recv(65536) == data[::-1]


def test_large_pings_are_the_kernels(lab, relay):
    assert answers(lab, RELAY6, "-s", 5000)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"device": "net_nothing0"}, "DPDK has no device net_nothing0"),
        ({"device": "0000:ff:1f.7"}, "DPDK has no device 0000:ff:1f.7"),
        ({"device": "eth0"}, '"eth0" is no device'),
        ({"listen": []}, "device: leaves the addresses"),
        ({"workers": WORKERS + 1}, f"{WORKERS} pairs of queues, and each of {WORKERS + 1} workers needs one"),
        ({"interface": "relay0"}, "relay0 is there already"),
    ],
)
def test_says_why_it_cannot_start(lab, tmp_path, settings, said):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**SETTINGS, **settings}))
    result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15)
    assert result.returncode == 1, result.stderr
    assert said in result.stderr


def test_needs_no_more_privileges_than_the_device_asks_for(lab, tmp_path):
    # The driver locks its own rings; the packet buffers would be much more.
    little = ["prlimit", "--memlock=8388608:8388608", "setpriv", "--bounding-set=-all,+net_admin,+net_raw"]
    with Relay(lab, tmp_path, under=little, device=owned(frame_count=512)["device"]):
        assert answers(lab, RELAY4)


def test_a_second_one_on_the_same_twin_says_so_and_harms_nothing(lab, relay, tmp_path):
    config = tmp_path / "second.conf"
    config.write_text(render_config(SETTINGS))
    result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15)
    assert result.returncode == 1, result.stderr
    assert "twin0 is there already" in result.stderr
    relay.wait_until_it_serves()
    assert answers(lab, RELAY4)


def test_ends_when_its_twin_is_deleted(lab, tmp_path):
    relay = Relay(lab, tmp_path, interface="twin1")
    relay.launch()
    relay.wait_for_event("started")
    lab.run("relay", "ip", "link", "delete", "twin1")
    assert relay.process.wait(10) == 1
    assert "interface_gone" in relay.log()


wide_lab = own_lab(mode="owned")


def widen(lab, mtu):
    """All links between a client and its peer, by way of the relay."""
    ends = [("client", "eth0"), ("peer", "eth0"), ("relay", "relay0")]
    for role, name in [*ends, *(("core", role) for role, _ in ends)]:
        lab.run(role, "ip", "link", "set", name, "mtu", mtu)


def wide_device(frame_len=9216, blocks_of=4):
    return f"{owned()['device']},framesz={frame_len},blocksz={frame_len * blocks_of},framecnt=512"


def no_fragments(sock):
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)


@pytest.mark.parametrize("mtu", [1280, 1501, 9000, 9001])
def test_what_the_link_carries_is_relayed_whole(wide_lab, tmp_path, mtu):
    widen(wide_lab, mtu)
    payload = bytes(i * 5 & 0xFF for i in range(mtu - IP_UDP_LEN - CHANNEL_HEAD_LEN))
    with Relay(wide_lab, tmp_path, device=wide_device()) as relay:
        assert link(wide_lab, "twin0")["mtu"] == mtu
        assert uses(relay)["mtu"]["used"] == str(mtu)
        with Client(wide_lab) as client, wide_lab.udp("peer", PEER4) as peer:
            client.allocate()
            client.bind(0x4001, peer.getsockname())
            for sock in (client.sock, peer):
                no_fragments(sock)
            client.send_channel(0x4001, payload)
            received, source = peer.recvfrom(65536)
            assert received == payload
            peer.sendto(payload[::-1], source)
            assert client.receive() == (0x4001, None, payload[::-1])
        assert relay.stop() == 0
        assert relay.summary().get("datagrams sent as fragments", 0) == 0


def test_the_mtu_is_at_most_the_one_that_is_set(wide_lab, tmp_path):
    widen(wide_lab, 9000)
    with Relay(wide_lab, tmp_path, device=wide_device(), mtu=1400) as relay:
        assert link(wide_lab, "twin0")["mtu"] == 1400
        assert uses(relay)["mtu"] == {"found": '"9000, at most 9000"', "used": "1400", "why": '"as configured"'}


def test_an_interface_wider_than_the_drivers_frames_is_used_as_far_as_these_go(wide_lab, tmp_path):
    widen(wide_lab, 9000)
    with Relay(wide_lab, tmp_path) as relay:
        assert link(wide_lab, "twin0")["mtu"] == 1998
        assert uses(relay)["mtu"]["used"] == "1998"


@pytest.fixture(scope="module")
def tagged_lab(tmp_path_factory):
    with Lab(mode="owned", queues=1) as the_lab:
        tag_gateway(the_lab, tmp_path_factory.mktemp("tags"))
        yield the_lab


@pytest.fixture(params=["net_af_packet0,iface=relay0,qpairs=1", "net_pcap0,rx_iface_in=relay0,tx_iface=relay0"],
                ids=["by_the_device", "by_software"])
def tagged_relay(request, tagged_lab, tmp_path):
    # The router has known the addresses at the other device, whose MAC is another.
    tagged_lab.run("core", "ip", "neigh", "flush", "dev", "relay")
    with Relay(tagged_lab, tmp_path, device=request.param, workers=1, vlan=VLAN) as the_relay:
        yield the_relay


def test_on_a_vlan_media_and_the_kernel_go_on_with_tags(tagged_lab, tagged_relay, request):
    by = "the device" if "by_the_device" in request.node.name else "software"
    assert uses(tagged_relay)["vlan"]["used"] == str(VLAN)
    assert f"off by {by} and on by {by}" in uses(tagged_relay)["vlan"]["why"]
    for family, host in {4: RELAY4, 6: RELAY6}.items():
        with Client(tagged_lab, family=family) as client, tagged_lab.udp("peer", PEER[family]) as peer:
            client.allocate(family=family)
            client.bind(0x4001, peer.getsockname()[:2])
            client.send_channel(0x4001, b"there")
            received, source = peer.recvfrom(65536)
            assert received == b"there"
            peer.sendto(b"and back", source)
            assert client.receive() == (0x4001, None, b"and back")
        assert answers(tagged_lab, host)


def test_frames_of_other_vlans_end_with_a_reason(tagged_lab, tagged_relay):
    address = link(tagged_lab, "relay0")["address"]
    datagram = IP(dst=RELAY4) / UDP(dport=3478)
    frames = [bytes(Ether(dst=address) / Dot1Q(vlan=VLAN + 1) / datagram), bytes(Ether(dst=address) / datagram)]
    send_as_they_are(tagged_lab, frames * 10)
    assert answers(tagged_lab, RELAY4)
    drops = telemetry.ask(tagged_relay, "/turnpike/drops")["drops"]
    assert drops["other_vlan"] == 20
    assert "not_ours" not in drops
