# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's own tools join a relay that was told to let them: what they capture and count, and what is left of it all."""

import os
import re
import signal
import subprocess
import time

import pytest
from scapy.layers.inet import UDP
from scapy.utils import rdpcap

import stun
from fixtures import own_labs
from lab import PEER4
from relay import BINARY, PORT, Relay, render_config, runtime_of

pytestmark = pytest.mark.skipif(not os.path.exists("/usr/bin/dpdk-dumpcap"), reason="dpdk-dumpcap is not installed")
SOCKET = "dpdk_telemetry.v2"
SETTINGS = {"capture": True, "hugepages": "auto", "total_quota": 1000}

lab = own_labs("shared", "owned")


@pytest.fixture
def mount(huge_memory, tmp_path):
    """Where hugepages are files, for this test."""
    path = tmp_path / "huge"
    path.mkdir()
    subprocess.run(["mount", "-t", "hugetlbfs", "none", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def relay(lab, mount, tmp_path):
    with Relay(lab, tmp_path, **SETTINGS) as the_relay:
        yield the_relay


def left_of(relay, mount):
    return sorted(os.listdir(relay.control_path.parent)), os.listdir(mount)


def tool(lab, relay, name, *arguments):
    return lab.popen("relay", "timeout", "20", name, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                     env={**os.environ, "RUNTIME_DIRECTORY": str(relay.runtime)}, text=True)


def capture(lab, relay, path):
    """dpdk-dumpcap on the relay's first port, once it captures."""
    process = tool(lab, relay, "dpdk-dumpcap", "-i", "0", "-w", path)
    said = ""
    while "Packets captured" not in said:
        part = os.read(process.stdout.fileno(), 4096).decode()
        assert part, said
        said += part
    return process


def relay_datagrams(lab, client, count):
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.bind(0x4000, peer.getsockname())
        for i in range(count):
            client.send_channel(0x4000, b"out %d" % i)
            assert peer.recv(2048) == b"out %d" % i
            peer.sendto(b"in %d" % i, client.relayed)
            assert client.receive()[2] == b"in %d" % i


def test_dumpcap_sees_what_is_relayed(lab, relay, client_of, tmp_path):
    path = tmp_path / "relayed.pcapng"
    process = capture(lab, relay, path)
    client = client_of()
    relay_datagrams(lab, client, 20)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[0]
    assert re.search(r"received/dropped on interface '\w+': \d+/0 ", said), said
    seen = {(packet[UDP].sport, packet[UDP].dport, bytes(packet[UDP].payload))
            for packet in rdpcap(str(path)) if UDP in packet}
    own, relayed = client.address[1], client.relayed[1]
    for i in range(20):
        out, back = b"out %d" % i, b"in %d" % i
        # A channel's frame with its four bytes on the client's side, nothing but the payload on the peer's.
        assert (own, PORT, stun.channel_data(0x4000, out)) in seen
        assert (PORT, own, stun.channel_data(0x4000, back)) in seen
        assert any((sport, data) == (relayed, out) for sport, _, data in seen)
        assert any((dport, data) == (relayed, back) for _, dport, data in seen)
    # And goes on, also for the next who captures.
    capture(lab, relay, tmp_path / "next.pcapng").terminate()
    with client_of() as other:
        other.allocate()


def test_proc_info_and_the_telemetry_script_count_what_is_relayed(lab, relay, client_of):
    relay_datagrams(lab, client_of(), 50)
    said = tool(lab, relay, "dpdk-proc-info", "--", "--stats").communicate(timeout=20)[0]
    found = re.search(r"RX-packets: (\d+).*?TX-packets: (\d+)", said, re.DOTALL)
    assert int(found[1]) >= 100 and int(found[2]) >= 100, said
    said = tool(lab, relay, "dpdk-proc-info", "--", "--xstats").communicate(timeout=20)[0]
    assert int(re.search(r"rx_good_packets: (\d+)", said)[1]) >= 100, said


def test_nobody_else_can_join(relay, mount):
    files = [*relay.control_path.parent.glob("[!d]*"), *mount.glob("*"), *mount.glob("*/*")]
    assert {path.name.partition("_")[0] for path in files} >= {"config", "hugepage", "fbarray", "mp", "rtemap"}
    for path in files:
        status = path.stat()
        assert (status.st_uid, status.st_mode & 0o077) == (os.geteuid(), 0), path


def test_all_is_cleared_away_at_the_end(lab, mount, tmp_path):
    with Relay(lab, tmp_path, **SETTINGS) as relay:
        assert "config" in left_of(relay, mount)[0]
        process = capture(lab, relay, tmp_path / "end.pcapng")
        assert relay.stop() == 0
        # The tool sees that it is alone, and ends.
        process.communicate(timeout=20)
    relay.process = None
    assert left_of(relay, mount) == ([], [])


@pytest.mark.parametrize("again", [True, False])
def test_the_next_start_clears_away_what_a_killed_one_left(lab, mount, tmp_path, again):
    relay = Relay(lab, tmp_path, **SETTINGS)
    relay.start()
    relay.kill()
    assert "config" in left_of(relay, mount)[0] and left_of(relay, mount)[1]
    with Relay(lab, tmp_path, **{**SETTINGS, "capture": again}) as relay:
        names, huge = left_of(relay, mount)
        assert ("config" in names, bool(huge)) == (again, again)
    assert left_of(relay, mount) == ([], [])


def test_a_second_relay_of_the_same_directory_says_so_and_harms_nothing(lab, relay, mount, tmp_path):
    config = tmp_path / "second.conf"
    config.write_text(render_config(relay.settings))
    result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15,
                     env={**os.environ, "RUNTIME_DIRECTORY": str(runtime_of(tmp_path))})
    assert result.returncode == 1, result.stderr
    assert f"another relay with capture has {relay.runtime}" in result.stderr
    said = tool(lab, relay, "dpdk-proc-info", "--", "--stats").communicate(timeout=20)[0]
    assert "RX-packets" in said


def test_without_the_setting_nothing_can_join(lab, mount, tmp_path):
    with Relay(lab, tmp_path, **{**SETTINGS, "capture": False}) as relay:
        assert left_of(relay, mount) == ([SOCKET], [])
        process = tool(lab, relay, "dpdk-dumpcap", "-i", "0", "-w", tmp_path / "none.pcapng")
        said = process.communicate(timeout=20)[0]
        assert process.returncode != 0 and "is primary process running" in said


def test_says_what_it_lacks(lab, huge_memory, tmp_path):
    relay = Relay(lab, tmp_path, **SETTINGS)
    relay.launch()
    assert relay.process.wait(20) == 1
    assert "no hugetlbfs is mounted" in relay.log()
    too_much = Relay(lab, tmp_path, **{**SETTINGS, "memory_mb": 4000})
    too_much.launch()
    assert too_much.process.wait(20) == 1
    assert "4032 MB of hugepages are needed" in too_much.log() and "capture = false" in too_much.log()
