# SPDX-License-Identifier: BSD-3-Clause
"""What one card is enough for: the twin's ways and places, where a card puts packets, and what is asked of a card's memory."""

import socket

import pytest

import stun
from client import Client
from guest import CARDS, GuestRelay
from lab import CLIENT4, RELAY4
from relay import PORT
from streams import StreamClient
from test_guest import call

SPREADING, WITHOUT_IOMMU = CARDS[0], CARDS[-1]
# DPDK's net_virtio gives its cards this one.
RSS_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")


def test_what_is_claimed_of_a_twin_holds_with_vhost_net(guest):
    guest.run("mkdir -p /var/run")
    said = guest.run("test_platform_twin 2>&1", timeout=120)
    assert "[  PASSED  ] 10 test(s)." in said.split("Running 10 test(s).")[-1] and "SKIPPED" not in said, said


def test_its_twin_is_in_a_namespace_of_its_own(guest, lab):
    pid = guest.run("unshare -n sleep 600 >/dev/null 2>&1 & echo $!").split()[0]
    inside = f"nsenter -t {pid} -n"
    guest.run(f"until [ $({inside} ls /proc/sys/net/ipv4/conf | wc -l) = 3 ]; do sleep 0.1; done")
    guest.run(f"{inside} ip link set lo up; {inside} sysctl -qw net.ipv6.conf.default.accept_dad=0")
    relay = GuestRelay(guest, SPREADING, interface_netns=f"/proc/{pid}/ns/net")
    relay.inside = inside
    with relay:
        assert guest.run("ls /sys/class/net").split() == ["lo"]
        assert relay.uses("twin")["used"] == "vhost-net"
        for client in (Client(lab), StreamClient(lab)):
            with client:
                call(lab, client, 4)
    assert "twin0" not in guest.run(f"{inside} cat /proc/net/dev")
    guest.run(f"kill {pid}")


def toeplitz(data):
    """Microsoft's hash, by which cards spread flows."""
    key, result = int.from_bytes(RSS_KEY, "big"), 0
    for position in range(8 * len(data)):
        if data[position // 8] & 0x80 >> position % 8:
            result ^= key >> (8 * len(RSS_KEY) - 32 - position) & 0xFFFFFFFF
    return result


def queue_of(port, queues):
    addresses = socket.inet_aton(CLIENT4) + socket.inet_aton(RELAY4)
    return toeplitz(addresses + port.to_bytes(2, "big") + PORT.to_bytes(2, "big")) % 128 % queues


def test_the_card_itself_chooses_the_queue_by_ports(guest, lab):
    """What feeds the card has two queues and a hash of its own, which knows nothing of the card's key."""
    ports = {queue: [port for port in range(20000, 22000) if queue_of(port, 2) == queue] for queue in (0, 1)}
    counts = {0: 100, 1: 300}
    with GuestRelay(guest, SPREADING) as relay:
        assert "ipv4_udp" in relay.uses("rss")["used"]
        for queue, count in counts.items():
            for port in ports[queue][:count]:
                with lab.udp("client", CLIENT4, port, timeout=5) as sock:
                    sock.sendto(stun.Message(stun.BINDING).encode(), (RELAY4, PORT))
                    assert sock.recv(2048)
    received = relay.received()
    for queue, count in counts.items():
        assert count <= received[queue] < count + 100, received


def test_a_card_without_an_iommu_asks_for_hugepages(guest):
    relay = GuestRelay(guest, WITHOUT_IOMMU, hugepages="off")
    with pytest.raises(AssertionError):
        relay.start()
    assert "bound to uio" in relay.log() and "set hugepages =" in relay.log()
