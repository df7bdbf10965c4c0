# SPDX-License-Identifier: BSD-3-Clause
"""Clients over DTLS (RFC 7350): what is relayed to them has to fit into records, and these into packets."""

import contextlib
import socket
import time

import pytest

from lab import PEER, RELAY4
from media import CHANNEL
from relay import TLS_PORT, Relay
from streams import OTHER_NAME, DtlsClient

MTU = 1500
RECORD = 13 + 8 + 16  # of AES-GCM
HEADERS = {4: 20 + 8, 6: 40 + 8}
# Of linux/in.h and linux/in6.h; socket has none of these.
LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
MTU_DISCOVER = {4: 10, 6: 23}
PATH_MTU = {4: 14, 6: 24}
PMTUDISC_DONT, PMTUDISC_DO = 0, 2


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    certificates = [authority.issue("ecdsa"), authority.issue("long", [OTHER_NAME], "rsa4096", between=2)]
    with Relay(lab, tmp_path_factory.mktemp("relay"), certificates=certificates) as the_relay:
        yield the_relay


@pytest.fixture
def dtls_of(lab, relay, authority):
    """dtls_of(family) makes clients that are gone after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda family: stack.enter_context(DtlsClient(lab, authority, family))


@pytest.fixture
def forget_path_mtu(lab):
    """What the peer's kernel has learned of the path."""
    yield
    lab.run("peer", "sh", "-c", "ip route flush cache; ip -6 route flush cache")


@pytest.fixture(params=[(4, 4), (6, 6), (4, 6), (6, 4)], ids=lambda pair: "client%d_peer%d" % pair)
def flow(request, lab, dtls_of, forget_path_mtu):
    """A client, and a peer's socket that is connected to its relayed address."""
    client_family, family = request.param
    client = dtls_of(client_family)
    client.allocate(family=family)
    with lab.udp("peer", PEER[family]) as peer:
        client.bind(CHANNEL, peer.getsockname()[:2])
        peer.connect(client.relayed)
        yield client, peer, client_family, family


def learned_mtu(peer, family):
    """The path MTU that the peer's kernel has been told of."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        mtu = peer.getsockopt(LEVEL[family], PATH_MTU[family])
        if mtu < MTU:
            peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the next call would fail
            return mtu
        time.sleep(0.02)
    raise AssertionError("no ICMP error")


def test_a_peer_is_told_what_fits_into_a_record(flow):
    client, peer, client_family, family = flow
    peer.setsockopt(LEVEL[family], MTU_DISCOVER[family], PMTUDISC_DO)
    peer.send(bytes(MTU - HEADERS[family]))
    mtu = learned_mtu(peer, family)
    other_headers = HEADERS[client_family] - HEADERS[family]
    # Room for a Data indication (section 13.2), and not for more.
    assert mtu == MTU - RECORD - 48 - other_headers
    assert client.receive(0.3) is None
    payload = bytes(i & 0xFF for i in range(mtu - HEADERS[family]))
    peer.send(payload)
    assert client.receive() == (CHANNEL, None, payload)


@pytest.mark.parametrize(
    "length", [1472, *(pytest.param(length, marks=pytest.mark.ipv4_fragments) for length in (8000, 16000))]
)
def test_what_may_be_cut_up_arrives_whatever_its_length(flow, length):
    client, peer, _, family = flow
    peer.setsockopt(LEVEL[family], MTU_DISCOVER[family], PMTUDISC_DONT)
    payload = bytes(i * 7 & 0xFF for i in range(length))
    peer.send(payload)
    assert client.receive() == (CHANNEL, None, payload)


def test_a_client_may_fill_a_packet(flow):
    client, peer, client_family, _ = flow
    payload = bytes(i * 13 & 0xFF for i in range(MTU - HEADERS[client_family] - RECORD - 4))
    client.send_channel(CHANNEL, payload)
    assert peer.recv(65536) == payload


@pytest.mark.parametrize("mtu", [300, 1400])
def test_a_long_chain_arrives(lab, relay, authority, mtu):
    # Three certificates of RSA-4096: four datagrams at least.
    command = ["openssl", "s_client", "-dtls1_2", "-mtu", mtu, "-connect", f"{RELAY4}:{TLS_PORT}"]
    command += ["-servername", OTHER_NAME, "-CAfile", authority.ca, "-showcerts"]
    output = lab.run("client", *command, check=False, input="").stdout
    assert output.count("-----BEGIN CERTIFICATE-----") == 3, output
    assert "Server public key is 4096 bit" in output and "Verify return code: 0 (ok)" in output, output
