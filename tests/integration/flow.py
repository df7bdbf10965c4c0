# SPDX-License-Identifier: BSD-3-Clause
"""A client, a peer and a channel between them, with raw sockets to speak for both and sniffers to see what arrives."""

import contextlib
import logging
import socket
import time

import stun
from lab import CLIENT, PEER, RELAY
from relay import PORT

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, UDP, fragment  # noqa: E402
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402

CHANNEL = 0x4321


class Flow:
    """A client with a channel to a peer, a sniffer at each end, raw sockets to speak for both."""

    def __init__(self, stack, lab, client_of, client_family=4, relay_family=4):
        self.lab = lab
        self.families = {"client": client_family, "peer": relay_family}
        self.client = client_of(client_family)
        self.client.allocate(family=relay_family)
        self.peer = stack.enter_context(lab.udp("peer", PEER[relay_family]))
        self.peer_address = self.peer.getsockname()[:2]
        self.client.bind(CHANNEL, self.peer_address)
        self.sniffers = {role: stack.enter_context(lab.sniffer(role)) for role in ("client", "peer")}

    def arrivals(self, role, timeout=1.0):
        """What arrives at that host from the relay, behind its Ethernet header, as scapy sees it."""
        sniffer = self.sniffers[role]
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            sniffer.settimeout(left)
            try:
                data, info = sniffer.recvfrom(65536)
            except TimeoutError:
                return
            if info[2] != socket.PACKET_OUTGOING:
                yield Ether(data).payload

    def frames(self, role, timeout=1.0):
        """UDP datagrams, and fragments, that arrive there."""
        for packet in self.arrivals(role, timeout):
            if packet.haslayer(UDP) or packet.haslayer(IPv6ExtHdrFragment) or (IP in packet and packet.frag):
                yield packet

    def seen(self, role):
        """The next IP packet that arrives at that host."""
        packet = next(self.frames(role), None)
        assert packet is not None, f"nothing arrived at the {role}"
        check_checksums(packet)
        return packet

    def inject(self, role, *packets):
        """Send IP packets as they are from that host; what the sniffers saw before is forgotten."""
        for sniffer in self.sniffers.values():
            drain(sniffer)
        version = bytes(packets[0])[0] >> 4
        with self.lab.raw(role, version) as sock:
            for packet in packets:
                target = (packet.dst, 0) if version == 4 else (packet.dst, 0, 0, 0)
                sock.sendto(bytes(packet), target)

    def ip(self, role, **fields):
        """An IP header from that host to where the relay expects its packets."""
        family = self.families[role]
        source = {"client": CLIENT, "peer": PEER}[role][family]
        return (IP if family == 4 else IPv6)(src=source, dst=RELAY[family], **fields)

    def udp(self, role):
        if role == "client":
            return UDP(sport=self.client.address[1], dport=PORT)
        return UDP(sport=self.peer_address[1], dport=self.client.relayed[1])

    def payload(self, role, data):
        return stun.channel_data(CHANNEL, data) if role == "client" else data

    def packet(self, role, data, **fields):
        return self.ip(role, **fields) / self.udp(role) / Raw(self.payload(role, data))

    def arrived(self, role, timeout=1.0):
        """What the socket at that end receives, None when nothing."""
        if role == "client":
            received = self.client.receive(timeout)
            return None if received is None else received[2]
        self.peer.settimeout(timeout)
        try:
            return self.peer.recv(65536)
        except TimeoutError:
            return None


def drain(sock):
    sock.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(65536)


def other(role):
    return {"client": "peer", "peer": "client"}[role]


def check_checksums(packet):
    """Rebuild the packet without its checksums: they must come out the same. A fragment's UDP checksum is not its own."""
    rebuilt = packet.copy()
    if IP in packet:
        expected = packet[IP].chksum
        del rebuilt[IP].chksum
        assert type(rebuilt)(bytes(rebuilt))[IP].chksum == expected, "IPv4 header checksum"
        if packet[IP].flags.MF or packet[IP].frag:
            return
    if UDP in packet and not packet.haslayer(IPv6ExtHdrFragment) and packet[UDP].chksum != 0:
        expected = packet[UDP].chksum
        del rebuilt[UDP].chksum
        assert type(rebuilt)(bytes(rebuilt))[UDP].chksum == expected, "UDP checksum"


def fragments_of(packet, size):
    if IP in packet:
        return fragment(packet, size)
    whole = packet[IPv6]
    payload = whole.payload
    whole.remove_payload()
    del whole.nh, whole.plen
    return fragment6(whole / IPv6ExtHdrFragment(id=int(time.monotonic_ns() & 0xFFFFFFFF)) / payload, size)


def icmp_error(flow, role, timeout=1.0):
    """(type, code, MTU) of the first ICMP error that arrives at that host, None when none does."""
    for packet in flow.arrivals(role, timeout):
        if ICMP in packet:
            return packet[ICMP].type, packet[ICMP].code, packet[ICMP].nexthopmtu
        if IPv6 in packet and packet.nh == socket.IPPROTO_ICMPV6 and packet.payload.type < 128:
            error = bytes(packet.payload)
            return error[0], error[1], int.from_bytes(error[4:8], "big")
    return None


def icmp_indication(client):
    data = client.receive_bytes(1.0)
    assert data is not None, "no Data indication"
    message = stun.decode(data)
    assert (message.method, message.message_class) == (stun.DATA_METHOD, stun.INDICATION)
    assert not message.has(stun.DATA)
    return message.xor_address(stun.XOR_PEER_ADDRESS), stun.decode_icmp(message.get(stun.ICMP))
