# SPDX-License-Identifier: BSD-3-Clause
"""What any request meets: Binding, authentication, malformed and unknown things (RFC 8489 sections 6.3, 9.2; RFC 8656
section 5)."""

import struct

import pytest

import stun
from client import REALM
from lab import CLIENT, CLIENT4_OTHER, RELAY4

UNKNOWN_REQUIRED = 0x7F01
UNKNOWN_OPTIONAL = 0xFF01

ALGORITHMS = [
    pytest.param(None, id="rfc5389"),
    pytest.param(stun.MD5, id="md5"),
    pytest.param(stun.SHA256, id="sha256"),
]


def allocate_without_credentials():
    return stun.Message(stun.ALLOCATE).add(stun.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))


# Binding (RFC 8489 section 12)


@pytest.mark.parametrize("family", [4, 6])
def test_binding_tells_the_clients_address(relay, client_of, family):
    client = client_of(family)
    response = client.transact(stun.Message(stun.BINDING).encode())
    assert response.is_success
    assert response.xor_address(stun.XOR_MAPPED_ADDRESS) == client.address
    assert client.address[0] == CLIENT[family]


def test_binding_response_has_a_fingerprint_when_the_request_had(client):
    plain = client.transact(stun.Message(stun.BINDING).encode())
    assert not plain.has(stun.FINGERPRINT)
    marked = client.transact(stun.add_fingerprint(stun.Message(stun.BINDING).encode()))
    assert marked.check_fingerprint()


def test_binding_with_an_unknown_required_attribute_gets_420(client):
    response = client.transact(stun.Message(stun.BINDING).add(UNKNOWN_REQUIRED, b"?").encode())
    assert response.error == 420
    assert response.get(stun.UNKNOWN_ATTRIBUTES) == struct.pack("!H", UNKNOWN_REQUIRED)


def test_binding_with_an_unknown_optional_attribute_is_answered(client):
    assert client.transact(stun.Message(stun.BINDING).add(UNKNOWN_OPTIONAL, b"?").encode()).is_success


# What gets no answer


def ignored(client, data):
    """No answer to these bytes, and one to what follows: the server is alive and the path is open."""
    assert client.transact(data, timeout=0.3, retransmit=False) is None
    assert client.transact(stun.Message(stun.BINDING).encode()).is_success


@pytest.mark.parametrize(
    "message_class", [stun.INDICATION, stun.SUCCESS, stun.ERROR], ids=["indication", "success", "error"]
)
@pytest.mark.parametrize("method", [stun.BINDING, stun.ALLOCATE, stun.CREATE_PERMISSION, stun.DATA_METHOD, 0x0FF])
def test_only_requests_are_answered(client, method, message_class):
    ignored(client, stun.Message(method, message_class).encode())


def test_a_wrong_fingerprint_is_not_answered(client):
    data = bytearray(stun.add_fingerprint(stun.Message(stun.BINDING).encode()))
    data[-1] ^= 1
    ignored(client, bytes(data))


def test_a_missing_cookie_is_not_answered(client):
    data = stun.Message(stun.BINDING).encode()
    ignored(client, data[:4] + b"\0\0\0\0" + data[8:])


# Authentication (RFC 8489 section 9.2.4)


def test_a_request_without_credentials_gets_401_with_realm_and_nonce(client):
    response = client.transact(allocate_without_credentials().encode())
    assert response.error == 401
    assert response.get(stun.REALM).decode() == REALM
    features = stun.nonce_features(response.get(stun.NONCE))
    assert features & stun.FEATURE_PASSWORD_ALGORITHMS
    assert not features & stun.FEATURE_USERNAME_ANONYMITY
    offered = response.get(stun.PASSWORD_ALGORITHMS)
    assert {struct.unpack_from("!H", offered, offset)[0] for offset in range(0, len(offered), 4)} == {
        stun.MD5,
        stun.SHA256,
    }
    assert not response.has(stun.MESSAGE_INTEGRITY)
    assert not response.has(stun.USERNAME)


@pytest.mark.parametrize("method", [stun.REFRESH, stun.CREATE_PERMISSION, stun.CHANNEL_BIND])
def test_every_method_needs_credentials(client, method):
    assert client.transact(stun.Message(method).encode()).error == 401


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("family", [4, 6])
def test_allocates_with_every_algorithm(relay, client_of, algorithm, family):
    client = client_of(family, algorithm=algorithm)
    response = client.allocate()
    assert response.xor_address(stun.XOR_MAPPED_ADDRESS) == client.address
    assert client.relayed[0] == RELAY4
    assert response.has(stun.MESSAGE_INTEGRITY_SHA256) == (algorithm is not None)
    assert response.has(stun.MESSAGE_INTEGRITY) == (algorithm is None)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_password_gets_401(relay, client_of, algorithm):
    client = client_of(algorithm=algorithm, password="looking-glass")
    assert client.request(client.allocate_request()).error == 401


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_unknown_user_gets_401(relay, client_of, algorithm):
    client = client_of(algorithm=algorithm, username="mallory")
    assert client.request(client.allocate_request()).error == 401


def test_a_changed_request_gets_401(client):
    client.discover()
    data = bytearray(client.sign(client.allocate_request(lifetime=700)))
    data[data.index(struct.pack("!HHI", stun.LIFETIME, 4, 700)) + 7] ^= 1
    assert client.transact(bytes(data)).error == 401


def test_integrity_without_a_username_gets_400(client):
    client.discover()
    message = client.allocate_request().add(stun.REALM, REALM.encode()).add(stun.NONCE, client.nonce)
    assert client.transact(stun.add_integrity(message.encode(), client.key)).error == 400


def test_integrity_without_a_nonce_gets_400(client):
    client.discover()
    message = client.allocate_request().add(stun.USERNAME, b"alice").add(stun.REALM, REALM.encode())
    assert client.transact(stun.add_integrity(message.encode(), client.key)).error == 400


def test_bid_down_to_no_algorithm_list_gets_400(relay, client_of):
    # RFC 8489 section 9.2.4: the list that the client saw must be the list that the server sent.
    client = client_of(algorithm=stun.MD5)
    client.discover()
    client.algorithms = struct.pack("!HH", stun.MD5, 0)
    assert client.transact(client.sign(client.allocate_request())).error == 400


def test_a_nonce_of_our_own_making_gets_438(client):
    client.discover()
    client.nonce = client.nonce[:13] + b"A" * (len(client.nonce) - 13)
    response = client.transact(client.sign(client.allocate_request()))
    assert response.error == 438
    assert response.get(stun.NONCE) != client.nonce
    assert response.get(stun.REALM).decode() == REALM


def test_a_nonce_without_its_cookie_gets_438(client):
    client.discover()
    client.nonce = b"0123456789abcdef"
    assert client.transact(client.sign(client.allocate_request())).error == 438


def test_anothers_nonce_gets_438(client, relay, client_of):
    # The nonce is bound to the address it was given to, so that a stolen one is of no use elsewhere.
    client.discover()
    other = client_of(host=CLIENT4_OTHER)
    other.realm, other.nonce = client.realm, client.nonce
    assert other.transact(other.sign(other.allocate_request())).error == 438


# Unknown and misplaced attributes (RFC 8489 section 6.3.1, 14.5)


def test_an_unknown_required_attribute_gets_420(client):
    response = client.request(client.allocate_request((UNKNOWN_REQUIRED, b"?")))
    assert response.error == 420
    assert response.get(stun.UNKNOWN_ATTRIBUTES) == struct.pack("!H", UNKNOWN_REQUIRED)


def test_an_unknown_required_attribute_before_authentication_gets_401(client):
    message = allocate_without_credentials().add(UNKNOWN_REQUIRED, b"?")
    assert client.transact(message.encode()).error == 401


def test_an_unknown_optional_attribute_is_ignored(client):
    client.allocate((UNKNOWN_OPTIONAL, b"?"))


def test_what_follows_the_integrity_changes_nothing(client):
    client.discover()
    data = client.sign(client.allocate_request())
    data = stun.add_attribute(data, stun.LIFETIME, struct.pack("!I", 0))
    data = stun.add_attribute(data, UNKNOWN_REQUIRED, b"?")
    data = stun.add_attribute(data, stun.REQUESTED_ADDRESS_FAMILY, bytes([2, 0, 0, 0]))
    response = client.transact(stun.add_fingerprint(data))
    assert response.is_success
    assert response.xor_address(stun.XOR_RELAYED_ADDRESS)[0] == RELAY4
    assert response.u32(stun.LIFETIME) >= 600
    client.relayed = response.xor_address(stun.XOR_RELAYED_ADDRESS)


def test_the_first_of_a_repeated_attribute_counts(client):
    message = client.allocate_request(lifetime=1000)
    message.add(stun.LIFETIME, struct.pack("!I", 2000))
    response = client.request(message)
    client.relayed = response.xor_address(stun.XOR_RELAYED_ADDRESS)
    assert response.u32(stun.LIFETIME) == 1000


def test_an_unknown_method_is_not_answered_with_success(client):
    response = client.transact(stun.Message(0x0AB).encode(), timeout=0.5, retransmit=False)
    assert response is None or response.error in (400, 401)
