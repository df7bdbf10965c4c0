# SPDX-License-Identifier: BSD-3-Clause
"""A TURN client for tests: polite by default, and able to say anything (RFC 8656)."""

import struct
import time

import stun
from lab import ANY, CLIENT, RELAY
from relay import PORT

REALM = "turnpike.test"
RETRANSMISSION_S = 0.5


class Refused(AssertionError):
    """An error response where a success was needed."""

    def __init__(self, response):
        super().__init__(f"refused with {response.error}")
        self.error = response.error
        self.response = response


class Client:
    """One 5-tuple. algorithm None: an RFC 5389 client, that knows neither password algorithms nor SHA-256."""

    def __init__(self, lab, family=4, host=None, role="client", username="alice", password="wonderland",
                 algorithm=None, anonymous=False, server=None, port=PORT):
        self.server = (server or RELAY[family], port)
        self.sock = self.open(lab, role, host or (CLIENT[family] if role == "client" else ANY[family]))
        self.username, self.password = username, password
        self.algorithm, self.anonymous = algorithm, anonymous
        self.realm, self.nonce = None, None
        self.inbox = []  # what came while a response was awaited
        self.relayed = None

    def open(self, lab, role, host):
        return lab.udp(role, host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    @property
    def address(self):
        return self.sock.getsockname()[:2]

    # Datagrams

    def send_bytes(self, data):
        self.sock.sendto(data, self.server)

    def receive_bytes(self, timeout=2.0):
        """The next datagram, None when there is none in time."""
        if self.inbox:
            return self.inbox.pop(0)
        return self._read(timeout)

    def _read(self, timeout):
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data, source = self.sock.recvfrom(65536)
            except (TimeoutError, ConnectionRefusedError):
                continue
            assert source[:2] == self.server, f"a datagram from {source}, not from the server"
            return data
        return None

    def transact(self, data, timeout=3.0, retransmit=True):
        """Send a request's bytes, return the response; None when none comes."""
        deadline = time.monotonic() + timeout
        interval = RETRANSMISSION_S
        while (left := deadline - time.monotonic()) > 0:
            self.send_bytes(data)
            waited = time.monotonic() + min(left, interval if retransmit else left)
            while (left := waited - time.monotonic()) > 0:
                answer = self._read(left)
                if answer is None:
                    break
                if answer[8:20] == data[8:20] and answer[0] in (1, 0) and not stun.is_channel_data(answer):
                    return stun.decode(answer)
                self.inbox.append(answer)
            interval *= 2
        return None

    # Credentials

    @property
    def key(self):
        return stun.long_term_key(self.username, self.realm, self.password, self.algorithm or stun.MD5)

    def learn(self, response):
        """Take realm and nonce from a 401 or a 438."""
        self.realm = response.get(stun.REALM).decode()
        self.nonce = response.get(stun.NONCE)
        self.algorithms = response.get(stun.PASSWORD_ALGORITHMS)

    def discover(self):
        """Ask for a challenge, as an Allocate without credentials does."""
        message = stun.Message(stun.ALLOCATE).add(stun.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
        response = self.transact(message.encode())
        assert response is not None, "no challenge"
        assert response.error == 401
        self.learn(response)
        return response

    def sign(self, message):
        """The bytes of a request with this client's credentials."""
        if self.anonymous:
            message.add(stun.USERHASH, stun.userhash(self.username, self.realm))
        else:
            message.add(stun.USERNAME, self.username.encode())
        message.add(stun.REALM, self.realm.encode())
        message.add(stun.NONCE, self.nonce)
        if self.algorithm:
            message.add(stun.PASSWORD_ALGORITHMS, self.algorithms)
            message.add(stun.PASSWORD_ALGORITHM, struct.pack("!HH", self.algorithm, 0))
            return stun.add_integrity(message.encode(), self.key, stun.MESSAGE_INTEGRITY_SHA256)
        return stun.add_integrity(message.encode(), self.key)

    # Requests

    def request(self, message, timeout=3.0):
        """Sign, send, renew a stale nonce once; the response, its integrity checked."""
        if self.nonce is None:
            self.discover()
        attributes = list(message.attributes)
        response = self.transact(self.sign(message), timeout)
        assert response is not None, "no response"
        if response.error == 438:
            self.learn(response)
            message = stun.Message(message.method, attributes=attributes, transaction_id=message.transaction_id)
            response = self.transact(self.sign(message), timeout)
            assert response is not None, "no response"
        if response.error not in (400, 401, 438):
            assert response.check_integrity(self.key), "the response's integrity is wrong"
        return response

    def allocate_request(self, *attributes, transport=stun.UDP, lifetime=None, family=None):
        message = stun.Message(stun.ALLOCATE)
        if transport is not None:
            message.add(stun.REQUESTED_TRANSPORT, bytes([transport, 0, 0, 0]))
        if lifetime is not None:
            message.add(stun.LIFETIME, struct.pack("!I", lifetime))
        if family is not None:
            message.add(stun.REQUESTED_ADDRESS_FAMILY, bytes([{4: 1, 6: 2}.get(family, family), 0, 0, 0]))
        for kind, value in attributes:
            message.add(kind, value)
        return message

    def allocate(self, *attributes, **options):
        """Allocate or raise Refused; the relayed address is in self.relayed too."""
        response = need(self.request(self.allocate_request(*attributes, **options)))
        self.relayed = response.xor_address(stun.XOR_RELAYED_ADDRESS)
        return response

    def refresh(self, lifetime=None, family=None):
        message = stun.Message(stun.REFRESH)
        if lifetime is not None:
            message.add(stun.LIFETIME, struct.pack("!I", lifetime))
        if family is not None:
            message.add(stun.REQUESTED_ADDRESS_FAMILY, bytes([{4: 1, 6: 2}[family], 0, 0, 0]))
        return self.request(message)

    def create_permission(self, *peers):
        message = stun.Message(stun.CREATE_PERMISSION)
        for peer in peers:
            message.add_xor_address(stun.XOR_PEER_ADDRESS, peer if isinstance(peer, tuple) else (peer, 0))
        return self.request(message)

    def permit(self, *peers):
        return need(self.create_permission(*peers))

    def channel_bind(self, number, peer):
        message = stun.Message(stun.CHANNEL_BIND)
        if number is not None:
            message.add(stun.CHANNEL_NUMBER, struct.pack("!HH", number, 0))
        if peer is not None:
            message.add_xor_address(stun.XOR_PEER_ADDRESS, peer)
        return self.request(message)

    def bind(self, number, peer):
        return need(self.channel_bind(number, peer))

    # Data

    def send_indication(self, peer, payload, *attributes):
        message = stun.Message(stun.SEND, stun.INDICATION).add_xor_address(stun.XOR_PEER_ADDRESS, peer)
        for kind, value in attributes:
            message.add(kind, value)
        if payload is not None:
            message.add(stun.DATA, payload)
        self.send_bytes(message.encode())

    def send_channel(self, number, payload):
        self.send_bytes(stun.channel_data(number, payload))

    def receive(self, timeout=2.0):
        """The next relayed datagram as (channel number or None, peer or None, payload); None when none comes."""
        deadline = time.monotonic() + timeout
        while (data := self.receive_bytes(deadline - time.monotonic())) is not None:
            if stun.is_channel_data(data):
                number, payload = stun.decode_channel_data(data)
                return number, None, payload
            message = stun.decode(data)
            if message.message_class in (stun.SUCCESS, stun.ERROR):
                continue  # to a request that was sent twice
            assert (message.method, message.message_class) == (stun.DATA_METHOD, stun.INDICATION)
            return None, message.xor_address(stun.XOR_PEER_ADDRESS), message.get(stun.DATA)
        return None


def need(response):
    if not response.is_success:
        raise Refused(response)
    return response
