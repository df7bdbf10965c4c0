# SPDX-License-Identifier: BSD-3-Clause
"""ICE agents of others, aioice and aiortc, that reach each other through relayed addresses alone."""

import asyncio

import aioice
import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

from agents import End, connect, relayed_only
from lab import RELAY4
from relay import PORT, TLS_PORT, Relay

MESSAGES = [bytes([i]) * (1 + i * 37) for i in range(32)]
SERVER = (RELAY4, PORT)


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    certificates = [authority.issue("relay")]
    with Relay(lab, tmp_path_factory.mktemp("relay"), certificates=certificates) as the_relay:
        yield the_relay


@pytest.fixture
def ends(lab, relay):
    pair = [End(lab, "client"), End(lab, "peer")]
    yield pair
    for end in pair:
        end.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_aioice_sends_both_ways_from_relayed_address_to_relayed_address(ends, authority, transport):
    server = {
        "udp": {"turn_server": (RELAY4, PORT)},
        "tcp": {"turn_server": (RELAY4, PORT), "turn_transport": "tcp"},
        "tls": {"turn_server": (RELAY4, TLS_PORT), "turn_transport": "tcp", "turn_ssl": authority.context()},
    }[transport]

    connections = connect(ends, server)
    for connection in connections:
        assert [candidate.host for candidate in connection.local_candidates] == [RELAY4]

    async def send_all(connection):
        for message in MESSAGES:
            await connection.send(message)

    async def receive_all(connection):
        return [await connection.recv() for _ in MESSAGES]

    receiving = [end.start(receive_all(connection)) for end, connection in zip(ends, connections)]
    for end, connection in zip(ends, connections):
        end(send_all(connection))
    assert [future.result(10) for future in receiving] == [MESSAGES, MESSAGES]
    for end, connection in zip(ends, connections):
        end(connection.close())


def test_aioice_is_refused_with_a_wrong_password(ends):
    async def gather():
        connection = aioice.Connection(
            ice_controlling=True, turn_server=SERVER, turn_username="alice", turn_password="looking-glass"
        )
        try:
            await connection.gather_candidates()
            return relayed_only(connection.local_candidates)
        except aioice.stun.TransactionFailed as refusal:
            return refusal.response.attributes["ERROR-CODE"][0]
        finally:
            await connection.close()

    assert ends[0](gather()) == 401


def relay_lines_only(description):
    """A session description without the candidates that are not relayed."""
    lines = [
        line
        for line in description.sdp.splitlines()
        if not line.startswith("a=candidate:") or " typ relay" in line
    ]
    return RTCSessionDescription(sdp="\r\n".join(lines) + "\r\n", type=description.type)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_aiortc_opens_a_data_channel_over_relayed_addresses(ends, transport):
    configuration = RTCConfiguration(
        [RTCIceServer(urls=f"turn:{RELAY4}:{PORT}?transport={transport}", username="alice", credential="wonderland")]
    )

    class Peer:
        def __init__(self):
            self.connection = RTCPeerConnection(configuration)
            self.received = []
            self.done = asyncio.Event()

        def adopt(self, channel):
            self.channel = channel

            @channel.on("message")
            def on_message(message):
                self.received.append(message)
                if len(self.received) == len(MESSAGES):
                    self.done.set()

        async def offer(self):
            self.adopt(self.connection.createDataChannel("data"))
            await self.connection.setLocalDescription(await self.connection.createOffer())
            return relay_lines_only(self.connection.localDescription)

        async def answer(self, offer):
            self.connection.on("datachannel", self.adopt)
            await self.connection.setRemoteDescription(offer)
            await self.connection.setLocalDescription(await self.connection.createAnswer())
            return relay_lines_only(self.connection.localDescription)

        async def send_all(self):
            while getattr(self, "channel", None) is None or self.channel.readyState != "open":
                await asyncio.sleep(0.05)
            for message in MESSAGES:
                self.channel.send(message)
            await self.done.wait()

        def candidate_types(self):
            ice = self.connection.sctp.transport.transport._connection
            pair = ice._nominated[1]
            return pair.local_candidate.type, pair.remote_candidate.type

    async def make():
        return Peer()

    caller, callee = (end(make()) for end in ends)
    offer = ends[0](caller.offer())
    assert " typ relay" in offer.sdp
    ends[0](caller.connection.setRemoteDescription(ends[1](callee.answer(offer))))
    sending = [end.start(peer.send_all()) for end, peer in zip(ends, (caller, callee))]
    for future in sending:
        future.result(30)
    assert caller.received == callee.received == MESSAGES
    assert "relay" in {kind for peer in (caller, callee) for kind in peer.candidate_types()}
    for end, peer in zip(ends, (caller, callee)):
        end(peer.connection.close())
