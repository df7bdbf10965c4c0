# SPDX-License-Identifier: BSD-3-Clause
"""A flood of DTLS ClientHellos from addresses that nobody has: no memory, no media and no honest handshake is lost."""

import contextlib
import random
import struct
import threading
import time

import pytest

from client import Client
from lab import CLIENT4, RELAY4
from media import Media
from relay import TLS_PORT, Relay

HELLOS_PER_SECOND = 10000
SECONDS = 5
HONEST = 20
GROWN_KB_MAX = 1024


@pytest.fixture
def relay(lab, tmp_path, authority):
    with Relay(lab, tmp_path, certificates=[authority.issue("ecdsa")]) as the_relay:
        yield the_relay


def client_hello():
    """RFC 6347 section 4.2.1: without a cookie."""
    suites = struct.pack("!HHH", 4, 0xC02B, 0xC02F)
    groups = struct.pack("!HHHHH", 10, 6, 4, 29, 23)
    signatures = struct.pack("!HHHHH", 13, 6, 4, 0x0403, 0x0804)
    body = b"\xfe\xfd" + random.randbytes(32) + b"\0\0" + suites + b"\1\0"
    body += struct.pack("!H", len(groups + signatures)) + groups + signatures
    handshake = b"\1" + struct.pack("!I", len(body))[1:] + bytes(5) + struct.pack("!I", len(body))[1:] + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(handshake)) + handshake


def datagram(host, port, payload):
    """From any host of the clients' network; without a UDP checksum, as IPv4 allows. The kernel adds that of IP."""
    source = bytes(map(int, CLIENT4.split(".")))[:3] + bytes([host])
    destination = bytes(map(int, RELAY4.split(".")))
    udp = struct.pack("!HHHH", port, TLS_PORT, 8 + len(payload), 0) + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + destination + udp


class Flood:
    """At a fixed rate, for as long as it is told."""

    def __init__(self, lab):
        self.sock = lab.raw("client")
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.sock.close()

    def _run(self):
        hello, started = client_hello(), time.monotonic()
        while not self.stopping.is_set():
            due = int((time.monotonic() - started) * HELLOS_PER_SECOND)
            for _ in range(min(due - self.sent, 200)):
                packet = datagram(random.randrange(100, 250), random.randrange(1024, 65536), hello)
                with contextlib.suppress(OSError):
                    self.sock.sendto(packet, (RELAY4, 0))
                self.sent += 1
            time.sleep(0.001)


def handshake(lab, authority):
    command = ["timeout", "10", "openssl", "s_client", "-dtls1_2", "-connect", f"{RELAY4}:{TLS_PORT}"]
    result = lab.run("client", *command, "-CAfile", authority.ca, check=False, input="")
    return "Verify return code: 0 (ok)" in result.stdout


def test_a_flood_of_hellos_costs_nothing(lab, relay, authority):
    assert handshake(lab, authority)
    flow = Media(lab, lambda family: Client(lab, family))
    with flow, Flood(lab) as flood:
        time.sleep(1)
        before_kb, started, done = relay.resident_kb(), time.monotonic(), 0
        for _ in range(HONEST):
            done += handshake(lab, authority)
        while time.monotonic() < started + SECONDS:
            time.sleep(0.1)
        grown_kb = relay.resident_kb() - before_kb
    flow.client.refresh(0)
    flow.client.close()
    relay.stop()
    answered = relay.summary()["DTLS: of them, answered with a cookie and forgotten"]
    assert flood.sent > HELLOS_PER_SECOND * SECONDS / 2
    assert answered > 0.5 * flood.sent, f"{answered} of {flood.sent} came"
    assert done == HONEST
    assert flow.lost == 0
    assert grown_kb < GROWN_KB_MAX, f"{grown_kb} kB more"
