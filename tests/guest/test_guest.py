# SPDX-License-Identifier: BSD-3-Clause
"""The relay owns a card of a guest, by vfio-pci behind an IOMMU or without: calls from the lab go through it, over each card."""

import operator
import socket
import threading
import time

import pytest

from client import Client
from guest import CARDS, NOBODY, GuestRelay
from lab import CLIENT4, PEER, PEER4, RELAY, RELAY4
from media import Media
from streams import StreamClient
from tags import VLAN, tag_gateway
from uclient import all_came_back, uclient

CHANNEL = 0x4000
CARD_NAME = operator.attrgetter("name")
CAP_NET_ADMIN = 12
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # in no module of Python's
# The last one is longer than the MTU: it comes and goes in fragments.
LENGTHS = [1, 160, 1400, 1900]


@pytest.fixture(scope="module", params=CARDS, ids=CARD_NAME)
def card(request):
    return request.param


@pytest.fixture(scope="module")
def relay(guest, card, authority):
    with GuestRelay(guest, card, certificates=[guest.install(authority)]) as the_relay:
        yield the_relay


@pytest.fixture
def echo(lab):
    """turnutils_peer sends back what it receives."""
    process = lab.popen("peer", "turnutils_peer", "-L", PEER4)
    yield
    process.terminate()
    process.wait()


def data_of(length):
    return bytes((length + i * 7) & 0xFF for i in range(length))


def row_of(relay, item):
    """What it says at the start of the card."""
    (row,) = [line for line in relay.log().splitlines() if f" port_uses item={item} " in line]
    return row


def call(lab, client, family, lengths=LENGTHS, fragments=True):
    """Both ways through a channel and in indications, to the byte."""
    client.allocate(family=family)
    with lab.udp("peer", PEER[family], timeout=5) as peer:
        if not fragments:
            for sock in (client.sock, peer):
                sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        address = peer.getsockname()[:2]
        client.bind(CHANNEL, address)
        for length in lengths:
            sent = data_of(length)
            client.send_channel(CHANNEL, sent)
            received, source = peer.recvfrom(65536)
            assert (received, source[:2]) == (sent, client.relayed)
            client.send_indication(address, sent[::-1])
            assert peer.recv(65536) == sent[::-1]
            peer.sendto(sent, client.relayed)
            assert client.receive(5) == (CHANNEL, None, sent)
    client.refresh(0)


def test_frames_of_the_kernels_go_by_vhost_net(relay):
    assert relay.uses("twin")["used"] == "vhost-net"


@pytest.mark.parametrize("family", [4, 6])
def test_a_call_crosses_byte_for_byte(lab, relay, family):
    with Client(lab, family) as client:
        call(lab, client, family)


def test_none_of_these_drivers_takes_rules_and_that_is_said(relay, card):
    why = "Function not implemented" if card.queues > 1 else "there is one worker"
    assert why in row_of(relay, "steering")


def test_a_call_over_tcp_crosses_by_the_twin(lab, relay):
    with StreamClient(lab) as client:
        call(lab, client, 4)


def test_a_call_over_tls_crosses_by_the_twin(lab, relay, authority):
    with StreamClient(lab, context=authority.context()) as client:
        call(lab, client, 4)


def test_tcp_goes_to_the_kernel_and_back_whole(guest, lab, relay):
    guest.run("nc -ll -p 7007 -e /bin/cat >/dev/null 2>&1 & echo $! >/tmp/nc")
    guest.run("until netstat -ltn | grep -q :7007; do sleep 0.1; done")
    sent = data_of(256) * 2048
    with lab.tcp("client", (RELAY4, 7007), host=CLIENT4, timeout=20) as sock:
        writer = threading.Thread(target=sock.sendall, args=(sent,))
        writer.start()
        received = b""
        while len(received) < len(sent):
            received += sock.recv(1 << 16)
        writer.join()
    guest.run("kill $(cat /tmp/nc)")
    assert received == sent


def test_coturns_client_gets_every_message_back(lab, relay, echo):
    all_came_back(uclient(lab, "-n", 50, "-l", 200, "-z", 10, "-e", PEER4), at_least=50)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("length", [56, 4000])
def test_the_kernel_behind_the_card_answers_ping(lab, relay, family, length):
    said = lab.run("client", "ping", "-c", 3, "-i", 0.2, "-W", 5, "-s", length, RELAY[family], check=False).stdout
    assert " 0% packet loss" in said


def test_media_goes_on_when_the_cable_is_back(guest, lab, relay, card):
    with Media(lab, lambda family: Client(lab, family)) as media:
        guest.set_link(card, False)
        time.sleep(0.5)
        came = len(media.received)
        time.sleep(0.5)
        assert len(media.received) == came
        guest.set_link(card, True)
        deadline = time.monotonic() + 10
        while len(media.received) < came + 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(media.received) >= came + 20
    media.client.refresh(0)
    media.client.close()


def leave_nothing_behind(guest):
    assert guest.run("ls /sys/class/net").split() == ["lo"]
    pages = guest.run("grep -E 'HugePages_(Total|Free)' /proc/meminfo | awk '{print $2}'").split()
    assert pages[0] == pages[1]


def test_it_gives_the_card_back_and_takes_it_again(guest, lab, relay, card):
    for _ in range(16):
        with Client(lab) as client:
            client.discover()
    with Client(lab) as client:
        client.allocate()
    assert relay.stop() == 0
    assert "the device is free again" in relay.log()
    assert relay.in_use()["allocations"] >= 1
    if card.many_queues:
        assert len(relay.received()) == card.queues and min(relay.received()) > 0
    leave_nothing_behind(guest)
    relay.start()
    assert relay.stop("KILL") == 128 + 9
    leave_nothing_behind(guest)
    relay.start()
    with Client(lab) as client:
        call(lab, client, 4)


@pytest.mark.parametrize("card", [card for card in CARDS if card.driver == "vfio-pci"], indirect=True, ids=CARD_NAME)
def test_it_needs_neither_root_nor_a_second_capability(guest, lab, relay, card):
    assert relay.stop() == 0
    # Where nobody but root has it, the twin does without.
    guest.run(f"chmod {666 if card.many_queues else 600} /dev/vhost-net")
    relay.start(is_root=False)
    guest.run("chmod 666 /dev/vhost-net")
    twin = relay.uses("twin")
    if card.many_queues:
        assert twin["used"] == "vhost-net"
    else:
        assert (twin["used"], twin["why"]) == ("tap", "a system call a frame: /dev/vhost-net: Permission denied")
    status = guest.run(f"awk '/^(Uid|CapEff):/ {{print $2}}' /proc/{relay.pid}/status").split()
    assert status == [str(NOBODY), f"{1 << CAP_NET_ADMIN:016x}"]
    with Client(lab) as client:
        call(lab, client, 4)


def test_jumbo_frames_cross_whole(guest, lab, relay):
    assert relay.stop() == 0
    # All buffers are longer: those of one worker fit into the guest's hugepages.
    relay.settings.update(mtu=9000, workers=1)
    guest.set_mtu(9000)
    try:
        relay.start()
        with Client(lab) as client:
            call(lab, client, 4, lengths=[1400, 4096, 8900], fragments=False)
    finally:
        guest.set_mtu(1500)


@pytest.fixture
def tagged_gateway(lab, tmp_path):
    tag_gateway(lab, tmp_path)
    yield
    lab.run("core", "tc", "qdisc", "delete", "dev", "relay", "clsact")


@pytest.mark.parametrize("card", [card for card in CARDS if card.driver == "vfio-pci"], indirect=True, ids=CARD_NAME)
def test_on_a_vlan_calls_and_the_kernel_go_on_with_tags(lab, relay, card, tagged_gateway):
    assert relay.stop() == 0
    relay.settings.update(mtu=1500, vlan=VLAN)
    relay.start()
    assert relay.uses("vlan")["used"] == str(VLAN)
    assert f"off by the device and on by {card.inserts_tags}" in relay.uses("vlan")["why"]
    for family, host in RELAY.items():
        with Client(lab, family) as client:
            call(lab, client, family)
        assert " 0% packet loss" in lab.run("client", "ping", "-c", 3, "-i", 0.2, "-W", 5, host, check=False).stdout
