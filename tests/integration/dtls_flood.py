#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends DTLS ClientHellos without a cookie, each from an address of its own: dtls_flood.py SERVER PORT COUNT RATE.

A process by itself, for it must not wait for a test's other threads. Prints how many went and how long it took."""

import json
import random
import socket
import struct
import sys
import time

SOURCES = 10 << 24  # 10.0.0.0/8
SOURCES_BITS = 24
STRIDE = 0x9E3779B1  # odd: so many numbers, so many sources, in no order
PAUSE_S = 0.002
BURST = 100  # at most so many are made up for at once


def client_hello():
    """RFC 6347 section 4.2.1: without a cookie."""
    suites = struct.pack("!HHH", 4, 0xC02B, 0xC02F)
    groups = struct.pack("!HHHHH", 10, 6, 4, 29, 23)
    signatures = struct.pack("!HHHHH", 13, 6, 4, 0x0403, 0x0804)
    body = b"\xfe\xfd" + random.randbytes(32) + b"\0\0" + suites + b"\1\0"
    body += struct.pack("!H", len(groups + signatures)) + groups + signatures
    handshake = b"\1" + struct.pack("!I", len(body))[1:] + bytes(5) + struct.pack("!I", len(body))[1:] + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(handshake)) + handshake


class Packet:
    """IPv4, without a UDP checksum, as that allows; the kernel adds that of IP."""

    def __init__(self, server, port, payload):
        udp = struct.pack("!HHHH", 0, port, 8 + len(payload), 0) + payload
        head = struct.pack("!BBHHHBBHI", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, 0)
        self.bytes = bytearray(head + socket.inet_aton(server) + udp)
        self.start = random.getrandbits(SOURCES_BITS)

    def of(self, number):
        source = SOURCES | ((self.start + number) * STRIDE) % (1 << SOURCES_BITS)
        struct.pack_into("!I", self.bytes, 12, source)
        struct.pack_into("!H", self.bytes, 20, 1024 + number % 64000)
        return self.bytes


def main(server, port, count, rate):
    packet = Packet(server, port, client_hello())
    sent, refused, started = 0, 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.connect((server, 0))
        while sent < count:
            due = min(count, int((time.monotonic() - started) * rate))
            for number in range(sent, min(due, sent + BURST)):
                try:
                    sock.send(packet.of(number))
                except OSError:
                    refused += 1
                sent += 1
            time.sleep(PAUSE_S)
    print(json.dumps({"sent": sent - refused, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
