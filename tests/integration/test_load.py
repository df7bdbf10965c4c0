# SPDX-License-Identifier: BSD-3-Clause
"""The load generator (bench/load) against the relay: it gets through what it says, and finds what is wrong."""

import json
import pathlib
import struct
import tempfile
import time
from socket import IPPROTO_UDP, PACKET_HOST

import pytest

from fixtures import own_lab
from lab import RELAY
from relay import BINARY, PORT, Relay

LOAD = BINARY.parent / "bench" / "load" / "load"
ALLOCATIONS = 200
ARRIVAL_S = 10
PEERS = {4: "198.19.0.0/16", 6: "2001:2:0:1900::/56"}
WRONG = 3
# What the relay calls them.
RELAYED = {
    "channel": {
        "ChannelData messages relayed to peers": "to_peer",
        "peer datagrams relayed as ChannelData": "to_client",
    },
    "indication": {
        "Send indications relayed to peers": "to_peer",
        "peer datagrams relayed as Data indications": "to_client",
    },
}

lab = own_lab(load=True)


@pytest.fixture
def relay(lab, tmp_path):
    with Relay(lab, tmp_path, allow_peer=[*PEERS.values()]) as the_relay:
        yield the_relay


def run_by(lab, directory, device, *options, password="wonderland"):
    """The exit code, and what it reports."""
    report = directory / "load.json"
    eal = ["--no-huge", "-m", "256", "--no-pci", "--no-shconf", "--no-telemetry", "--iova-mode=va", "--vdev", device]
    ours = ["--user", f"alice:{password}", "--json", report]
    process = lab.run("load", LOAD, *eal, "--", *ours, *options, check=False)
    assert report.exists(), process.stderr
    if process.returncode not in (0, 1, WRONG):
        raise AssertionError(process.stderr)
    return process.returncode, json.loads(report.read_text())


def run(lab, directory, *options, family=4, **credentials):
    """By way of the lab's router."""
    link = ["--local", "100.64.0.1", "--local", "2001:db8:64::1"]
    link += ["--next-hop", "2001:db8:64::fe" if family == 6 else "100.64.0.254"]
    link += ["--relay", f"[{RELAY[6]}]:{PORT}" if family == 6 else f"{RELAY[4]}:{PORT}"]
    return run_by(lab, directory, "net_af_packet0,iface=eth0,framecnt=4096", *link, *options, **credentials)


def assert_all_came_through(way):
    assert way["received"] == way["sent"] > 0
    assert way["lost"] == way["wrong"] == way["misdirected"] == way["duplicates"] == 0
    assert way["received_bytes"] == way["sent_bytes"] >= 24 * way["sent"]
    latency = way["latency_us"]
    assert latency["count"] == way["received"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]


@pytest.mark.parametrize("framing", ["channel", "indication"])
@pytest.mark.parametrize("client, peer", [(4, 4), (4, 6), (6, 4), (6, 6)])
def test_every_payload_comes_through_unchanged(lab, relay, tmp_path, client, peer, framing):
    options = ["--allocations", ALLOCATIONS, "--duration", 2, "--rate", 500, "--payload", "24,161,1200"]
    code, report = run(
        lab, tmp_path, *options, "--peers", PEERS[peer], "--framing", framing, "--refresh", family=client
    )
    assert code == 0, report
    for name in ("allocated", "refreshed", "deleted"):
        assert (report[name]["done"], report[name]["failed"]) == (ALLOCATIONS, 0)
    assert report["requests"]["challenged"] == ALLOCATIONS
    assert report["requests"]["errors"] == {}
    for way in ("to_peer", "to_client"):
        assert_all_came_through(report["media"][way])
    assert report["frames"]["bad_checksums"] == report["frames"]["icmp_errors"] == 0
    # The relay saw the same.
    assert relay.stop() == 0
    assert relay.in_use()["allocations"] == 0
    counts = relay.summary()
    for relayed, way in RELAYED[framing].items():
        assert counts[relayed] == report["media"][way]["received"], counts


def test_one_wrong_byte_is_found(lab, relay, tmp_path):
    options = ["--allocations", 10, "--duration", 1, "--rate", 500, "--damage", 20]
    code, report = run(lab, tmp_path, *options)
    assert code == WRONG
    for way in report["media"]["to_peer"], report["media"]["to_client"]:
        assert way["wrong"] == way["damaged"] > 0
        assert way["received"] == way["sent"] - way["damaged"]
        assert way["lost"] == way["damaged"]


def test_media_of_one_direction_stays_in_it(lab, relay, tmp_path):
    code, report = run(lab, tmp_path, "--allocations", 10, "--duration", 1, "--rate", 200, "--direction", "to-client")
    assert code == 0
    assert_all_came_through(report["media"]["to_client"])
    assert "to_peer" not in report["media"]


def test_media_goes_on_while_its_clients_refresh_and_bind_anew(lab, relay, tmp_path):
    options = ["--allocations", 50, "--duration", 2, "--rate", 200, "--refresh-rate", 100, "--permit"]
    code, report = run(lab, tmp_path, *options)
    assert code == 0, report
    # Each of them more than once.
    assert report["kept_up"]["done"] > 100
    assert report["kept_up"]["failed"] == 0
    # Allocate, CreatePermission, ChannelBind and deletion, then Refresh and the two again each time.
    assert report["requests"]["sent"] >= 50 * 5 + 3 * report["kept_up"]["done"]
    for way in ("to_peer", "to_client"):
        assert_all_came_through(report["media"][way])


def test_naps_are_taken_while_requests_wait_and_lose_nothing(lab, relay, tmp_path):
    options = ["--allocations", 50, "--duration", 1, "--rate", 2000, "--nap", 300, "--realtime", 1, "--window", 4]
    code, alone = run(lab, tmp_path, *options)
    assert code == 0, alone
    # More of them where some client always waits for its answer.
    code, beside = run(lab, tmp_path, *options, "--refresh-rate", 20000, "--client-ports", "20000-30000")
    assert code == 0, beside
    assert beside["kept_up"]["failed"] == 0
    assert 0 < alone["frames"]["naps"] < beside["frames"]["naps"] / 2
    for way in ("to_peer", "to_client"):
        assert_all_came_through(alone["media"][way])
        assert_all_came_through(beside["media"][way])


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", ["binding", "allocate"])
def test_strangers_are_answered(lab, relay, tmp_path, kind, family):
    sources = "198.18.0.0/16" if family == 4 else "2001:2:0:2000::/52"
    options = ["--allocations", 0, "--flood", kind, "--flood-rate", 500, "--flood-sources", sources, "--duration", 1]
    code, report = run(lab, tmp_path, *options, family=family)
    assert code == 0
    flood = report["flood"]
    assert flood["answered"] == flood["sent"] == flood["answer_us"]["count"] > 0
    assert flood["wrong"] == 0


def test_a_stale_nonce_is_no_failure(lab, tmp_path):
    with Relay(lab, tmp_path, allow_peer=[PEERS[4]], nonce_lifetime=1):
        code, report = run(lab, tmp_path, "--allocations", 10, "--duration", 3, "--rate", 100, "--refresh")
    assert code == 0
    assert report["refreshed"]["done"] == 10
    assert report["requests"]["stale_nonce"] >= 10
    assert report["requests"]["errors"] == {}


def test_a_refusal_is_told(lab, relay, tmp_path):
    code, report = run(lab, tmp_path, "--allocations", 10, password="looking-glass")
    assert code == 1
    assert (report["allocated"]["done"], report["allocated"]["failed"]) == (0, 10)
    assert report["requests"]["errors"] == {"401": 10}
    assert "media" not in report


def test_allocations_are_kept_when_it_is_told_to(lab, relay, tmp_path):
    code, report = run(lab, tmp_path, "--allocations", 10, "--duration", 0, "--keep")
    assert code == 0
    assert "deleted" not in report
    assert relay.stop() == 0
    assert relay.in_use()["allocations"] == 10


@pytest.fixture
def socket():
    """A path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory() as directory:
        yield pathlib.Path(directory, "memif")


@pytest.fixture
def memif_relay(lab, tmp_path, socket):
    """A relay that owns its device, which is no wire but memory that it shares with the load generator."""
    ours, theirs = "100.65.0.1", "100.65.0.2"
    lab.run("relay", "ip", "tuntap", "add", "dev", "twin0", "mode", "tap")
    lab.run("relay", "ip", "address", "add", f"{ours}/24", "dev", "twin0")
    lab.run("relay", "ip", "link", "set", "twin0", "up")
    lab.run("relay", "ip", "route", "add", "198.18.0.0/15", "via", theirs)
    settings = {
        "interface": "twin0",
        "device": f"net_memif0,role=server,socket={socket},socket-abstract=no",
        "workers": 1,
        "listen": [{"address": ours}],
        "relay": [{"address": ours}],
        "allow_peer": [PEERS[4]],
    }
    relay = Relay(lab, tmp_path, **settings)
    relay.launch()
    try:
        wait_until(lambda: " started " in relay.log(), relay)
        relay.device = f"net_memif0,role=client,socket={socket},socket-abstract=no"
        relay.link = ["--local", theirs, "--relay", f"{ours}:{PORT}"]
        yield relay
        assert relay.stop() == 0
    finally:
        if relay.is_running:
            relay.kill()
        lab.run("relay", "ip", "link", "delete", "twin0")


def wait_until(condition, relay, timeout=30):
    deadline = time.monotonic() + timeout
    while not condition():
        assert relay.is_running and time.monotonic() < deadline, relay.log_tail()
        time.sleep(0.05)


def test_every_payload_comes_through_a_device_of_the_relays_own(lab, memif_relay, tmp_path):
    options = ["--allocations", ALLOCATIONS, "--duration", 2, "--rate", 500, "--payload", "24,161,1200", "--permit"]
    code, report = run_by(lab, tmp_path, memif_relay.device, *memif_relay.link, *options)
    assert code == 0, report
    assert report["driver"] == "net_memif"
    for name in ("allocated", "deleted"):
        assert (report[name]["done"], report[name]["failed"]) == (ALLOCATIONS, 0)
    for way in ("to_peer", "to_client"):
        assert_all_came_through(report["media"][way])


def frames_of(path):
    """The frames of a pcap file of this machine's byte order."""
    file = path.read_bytes()
    magic, link_type, at = *struct.unpack_from("=I16xI", file), 24
    assert (magic, link_type) == (0xA1B2C3D4, 1)
    while at < len(file):
        length = struct.unpack_from("=I", file, at + 8)[0]
        yield file[at + 16 : at + 16 + length]
        at += 16 + length


def replay(lab, frames):
    """Send frames from the load's end of the wire; the datagrams that come back there, as (destination, payload)."""
    wire = lab.sniffer("load", timeout=1)
    received = []
    for number, frame in enumerate(frames):
        wire.send(frame)
        if number % 32 == 31:
            received += arrivals(wire, 0.01)
    deadline = time.monotonic() + ARRIVAL_S
    while len(received) < len(frames) and time.monotonic() < deadline:
        received += arrivals(wire, 0.1)
    return received + list(arrivals(wire, 0.1))  # what should not come


def arrivals(wire, timeout):
    wire.settimeout(timeout)
    while True:
        try:
            frame, (_, _, packet_type, *_) = wire.recvfrom(2048)
        except TimeoutError:
            return
        if packet_type == PACKET_HOST and frame[12:14] == b"\x08\x00" and frame[23] == IPPROTO_UDP:
            yield frame[30:34], frame[42 : 38 + int.from_bytes(frame[38:40])]


def test_frames_for_another_generator_are_relayed(lab, relay, tmp_path):
    path = tmp_path / "both.pcap"
    code, report = run(lab, tmp_path, "--allocations", 50, "--pcap", path, "--pcap-frames", 400)
    assert code == 0
    assert "media" not in report and "deleted" not in report
    frames = list(frames_of(path))
    # Clients' ChannelData and peers' datagrams take turns.
    to_peer = [frame[42 + 4 :] for frame in frames[::2]]
    to_client = [frame[42:] for frame in frames[1::2]]
    received = replay(lab, frames)
    assert sorted(to_peer) == sorted(payload for host, payload in received if host[:2] == bytes([198, 19]))
    assert sorted(to_client) == sorted(payload[4:] for host, payload in received if host[:2] == bytes([198, 18]))
    assert len(to_peer) == len(to_client) == 200
    # In random order, of all flows.
    assert len({frame[26:30] + frame[34:36] for frame in frames[::2]}) > 25
