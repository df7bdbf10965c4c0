# SPDX-License-Identifier: BSD-3-Clause
"""The kernel behind a device that the relay owns, while media flows: it is configured, talked to and moved about, and media
goes on."""

import contextlib
import hashlib
import random
import signal
import socket
import threading
import time

import pytest

from client import Client
from fixtures import own_lab, own_relay
from lab import CLIENT4, CLIENT6, GATEWAY, PEER4, RELAY4, RELAY6, Lab
from media import FastMedia, lossless
from pings import answers, echo_requests
from relay import Relay
from streams import StreamClient

# Another address of the relay host, and one that the relay is told of but the host does not have yet.
OTHER4, OTHER6, LATER4 = "192.0.2.7", "2001:db8:2::7", "192.0.2.9"
BULK_LEN = 4 << 20

lab = own_lab(mode="owned")
relay = own_relay(listen=[{"address": address} for address in (RELAY4, RELAY6, LATER4)])


@pytest.fixture
def flows(lab, relay, client_of):
    return [FastMedia(lab, client_of, 4), FastMedia(lab, client_of, 6)]


def ip(lab, *command, role="relay"):
    lab.run(role, "ip", *command)


def bulk(seed):
    return random.Random(seed).randbytes(BULK_LEN)


def drain(sock):
    digest, received_len = hashlib.sha256(), 0
    while chunk := sock.recv(1 << 16):
        digest.update(chunk)
        received_len += len(chunk)
    return digest.hexdigest(), received_len


def transfer(lab, host, port, seed):
    """Megabytes from a client of the host's own server there, and from there back; bytes a second."""
    data = bulk(seed)
    with lab.inside("relay"):
        server = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    seen = []

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            seen.append(drain(connection))
            connection.sendall(data[::-1])

    thread = threading.Thread(target=serve)
    thread.start()
    started = time.monotonic()
    source = CLIENT6 if ":" in host else CLIENT4
    with server, lab.tcp("client", (host, port), host=source, timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(1)
        back = drain(sock)
        thread.join()
    assert seen == [(hashlib.sha256(data).hexdigest(), len(data))]
    assert back == (hashlib.sha256(data[::-1]).hexdigest(), len(data))
    return 2 * len(data) / (time.monotonic() - started)


def ask_the_host(lab, host):
    with lab.udp("relay", host, 53) as server, lab.udp("client", CLIENT6 if ":" in host else CLIENT4) as client:
        client.sendto(b"query", (host, 53))
        data, source = server.recvfrom(2048)
        server.sendto(data[::-1], source[:2])
        assert client.recv(2048) == b"yreuq"


@pytest.mark.parametrize("host", [RELAY4, RELAY6])
def test_tcp_and_ping_go_through_the_twin_while_media_flows(lab, relay, flows, host, record_figures):
    with lossless(relay, *flows):
        asking = lab.popen("client", *echo_requests(host, count=40))
        record_figures(bytes_a_second=round(transfer(lab, host, 22, 1)))
        assert asking.wait(20) == 0


@pytest.mark.parametrize("address, length", [(OTHER4, 24), (OTHER6, 64)])
def test_addresses_come_and_go_while_media_flows(lab, relay, flows, address, length):
    with lossless(relay, *flows):
        for _ in range(5):
            ip(lab, "address", "add", f"{address}/{length}", "dev", "twin0")
            assert answers(lab, address)
            ask_the_host(lab, address)
            ip(lab, "address", "delete", f"{address}/{length}", "dev", "twin0")
        assert not answers(lab, address, count=1, wait_s=1)


def test_what_a_client_had_of_an_address_is_gone_once_it_was_the_hosts(lab, relay, client_of):
    client = client_of()
    client.allocate()
    with lab.udp("peer", PEER4, timeout=0.5) as peer:
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"before")
        assert peer.recv(2048) == b"before"
        ip(lab, "address", "add", f"{PEER4}/32", "dev", "twin0")
        time.sleep(0.2)
        ip(lab, "address", "delete", f"{PEER4}/32", "dev", "twin0")
        time.sleep(0.2)
        client.send_channel(0x4000, b"denied")
        with pytest.raises(TimeoutError):
            peer.recv(2048)
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"again")
        assert peer.recv(2048) == b"again"
    client.refresh(0)


def test_what_the_twin_has_at_the_start_is_no_peer(tmp_path):
    with Lab(mode="owned") as other:
        ip(other, "address", "add", "198.51.100.77/32", "dev", "twin0")
        with Relay(other, tmp_path), Client(other) as client:
            client.allocate()
            assert client.create_permission("198.51.100.77").error == 403
            client.permit("198.51.100.78")
            client.refresh(0)


SECOND = {4: "192.0.2.253", 6: "2001:db8:2::fd"}


def route_by(lab, gateway):
    """Whatever the relay's host sends to other networks."""
    ip(lab, "-6" if ":" in gateway else "-4", "route", "replace", "default", "via", gateway)


@contextlib.contextmanager
def second_gateway(lab, family=4):
    """Another way out of the relay's network, by a MAC address of its own; a function that counts what came by it."""
    ip(lab, "link", "add", "link", "relay", "name", "second", "type", "macvlan", "mode", "private", role="core")
    ip(lab, "link", "set", "second", "up", role="core")
    ip(lab, "address", "add", f"{SECOND[family]}/{32 if family == 4 else 128}", "dev", "second", role="core")
    try:
        yield lambda: int(lab.run("core", "cat", "/sys/class/net/second/statistics/rx_packets").stdout)
    finally:
        route_by(lab, GATEWAY[family])
        ip(lab, "link", "delete", "second", role="core")


@pytest.mark.parametrize("family", [4, 6])
def test_no_packet_is_lost_to_a_changed_route(lab, relay, flows, family):
    with second_gateway(lab, family) as count, lossless(relay, *flows):
        for gateway, is_second in [(SECOND[family], True), (GATEWAY[family], False)] * 3:
            # Known before it is needed: the relay asks for a MAC address when a route leads there.
            lab.run("relay", "ping", "-c", 1, "-W", 2, gateway)
            before = count()
            route_by(lab, gateway)
            time.sleep(0.1)
            began = count()
            time.sleep(0.3)
            assert (count() - began > 100) == is_second, (before, began, count())


def test_a_swarm_of_routes_harms_nothing(lab, relay, flows, tmp_path):
    prefixes = [f"10.{i >> 8}.{i & 255}.0/24" for i in range(2000)]
    batch = tmp_path / "routes"
    with lossless(relay, *flows):
        for verb in ("add", "delete", "add", "delete"):
            batch.write_text("".join(f"route {verb} {prefix} via {GATEWAY[4]}\n" for prefix in prefixes))
            ip(lab, "-batch", batch)


def test_listeners_are_where_an_address_comes_later(lab, relay, flows):
    with lossless(relay, *flows):
        ip(lab, "address", "add", f"{LATER4}/24", "dev", "twin0")
        try:
            with Client(lab, server=LATER4) as client:
                client.allocate()
                client.refresh(0)
            with StreamClient(lab, server=LATER4) as client:
                client.allocate()
                # What lives outlives the address, too: it is back before anybody gives up.
                ip(lab, "address", "delete", f"{LATER4}/24", "dev", "twin0")
                ip(lab, "address", "add", f"{LATER4}/24", "dev", "twin0")
                assert client.refresh().is_success
                client.refresh(0)
        finally:
            ip(lab, "address", "delete", f"{LATER4}/24", "dev", "twin0")


def test_media_resumes_when_the_relays_own_address_comes_back(lab, relay, client_of, record_figures):
    with FastMedia(lab, client_of) as media:
        media.resumes_within(2)
        for _ in range(3):
            ip(lab, "address", "delete", f"{RELAY4}/24", "dev", "twin0")
            time.sleep(0.3)
            ip(lab, "address", "add", f"{RELAY4}/24", "dev", "twin0")
            ip(lab, "route", "add", "default", "via", GATEWAY[4])
            record_figures(resumed_s=media.resumes_within(0.1))


def flood_with_news(lab, directory):
    """More than the relay's socket holds, unless it reads."""
    batch = directory / "news"
    routes = [f"route {verb} 10.{i >> 8}.{i & 255}.0/24 via {GATEWAY[4]}\n" for verb in ("add", "delete") for i in range(20000)]
    batch.write_text("".join(routes))
    ip(lab, "-batch", batch)


@contextlib.contextmanager
def deaf(relay):
    relay.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        relay.process.send_signal(signal.SIGCONT)


def test_lost_news_are_made_good(lab, relay, client_of, tmp_path):
    with FastMedia(lab, client_of) as media:
        media.resumes_within(2)
        with second_gateway(lab) as count, deaf(relay):
            flood_with_news(lab, tmp_path)
            route_by(lab, SECOND[4])
            relay.process.send_signal(signal.SIGCONT)
            media.resumes_within(3)
            began = count()
            time.sleep(0.5)
            assert count() > began + 100


def test_ends_when_its_twin_was_deleted_and_the_news_of_it_were_lost(lab, tmp_path):
    with Lab(mode="owned") as other:
        relay = Relay(other, tmp_path)
        relay.start()
        with deaf(relay):
            flood_with_news(other, tmp_path)
            other.run("relay", "ip", "link", "delete", "twin0")
        assert relay.process.wait(10) == 1
        assert "interface_gone" in relay.log()


@pytest.fixture
def lab_of_a_tap(tmp_path):
    """The device is a TAP that DPDK makes, wire0, and it is patched through to the lab: unlike net_af_packet it tells of its
    link."""
    with Lab(mode="owned") as the_lab:
        the_lab.run("relay", "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        yield the_lab


def patch_through(lab, one, other):
    rules = "".join(
        f"""
table netdev patch {{
    chain {here} {{
        type filter hook ingress device "{here}" priority -1;
        fwd to "{there}"
    }}
}}
"""
        for here, there in [(one, other), (other, one)]
    )
    lab.run("relay", "nft", "-f", "-", input=rules)


def carrier_of(lab, interface):
    return lab.run("relay", "cat", f"/sys/class/net/{interface}/carrier").stdout.strip() == "1"


def test_the_twin_has_the_carrier_of_its_device(lab_of_a_tap, tmp_path, record_figures):
    lab = lab_of_a_tap
    relay = Relay(lab, tmp_path, device="net_tap0,iface=wire0")
    relay.launch()
    relay.wait_for_event("started")
    patch_through(lab, "wire0", "relay0")
    relay.wait_until_it_serves()
    relay.find_gateways()
    with Client(lab) as client, FastMedia(lab, lambda family: Client(lab, family)) as media:
        media.resumes_within(2)
        for _ in range(3):
            ip(lab, "link", "set", "wire0", "down")
            time.sleep(0.3)
            assert not carrier_of(lab, "twin0")
            ip(lab, "link", "set", "wire0", "up")
            record_figures(resumed_s=media.resumes_within(0.1))
            assert carrier_of(lab, "twin0")
        client.allocate()
        client.refresh(0)
    assert relay.stop() == 0
    assert " link_down " in relay.log() and " link_up " in relay.log()
