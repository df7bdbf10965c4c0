# SPDX-License-Identifier: BSD-3-Clause
"""Where the kernel can, it makes the records of TLS (kTLS). The machine that tests run on may have one that cannot; the guest's can."""

import ssl

import pytest

from guest import CARDS, GuestRelay
from lab import PEER4
from streams import StreamClient

CHANNEL = 0x4000
LENGTHS = [1, 160, 1200, 1900]


def sends_by_kernel(guest):
    """TLS sockets that the guest's kernel makes records for."""
    return int(guest.run("awk '/^TlsCurrTxSw/ {print $2}' /proc/net/tls_stat"))


def call(lab, client):
    client.allocate()
    with lab.udp("peer", PEER4, timeout=5) as peer:
        client.bind(CHANNEL, peer.getsockname()[:2])
        for length in LENGTHS:
            sent = bytes(i * 7 & 0xFF for i in range(length))
            client.send_channel(CHANNEL, sent)
            assert peer.recv(65536) == sent
            peer.sendto(sent, client.relayed)
            assert client.receive(5) == (CHANNEL, None, sent)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
@pytest.mark.parametrize("ktls", [True, False], ids=["ktls", "openssl"])
def test_the_kernel_makes_the_records_unless_told_not_to(guest, lab, authority, ktls, version):
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    with GuestRelay(guest, CARDS[0], certificates=[guest.install(authority)], ktls=ktls):
        assert sends_by_kernel(guest) == 0
        with StreamClient(lab, context=context) as client:
            call(lab, client)
            assert sends_by_kernel(guest) == (1 if ktls else 0)
            client.refresh(0)
