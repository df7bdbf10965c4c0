# SPDX-License-Identifier: BSD-3-Clause
"""STUN and TURN messages (RFC 8489, RFC 8656), written from the RFCs and sharing nothing with the server under test."""

import base64
import hashlib
import hmac
import ipaddress
import os
import struct
import zlib
from dataclasses import dataclass, field

MAGIC_COOKIE = 0x2112A442

REQUEST, INDICATION, SUCCESS, ERROR = range(4)

BINDING = 0x001
ALLOCATE = 0x003
REFRESH = 0x004
SEND = 0x006
DATA_METHOD = 0x007
CREATE_PERMISSION = 0x008
CHANNEL_BIND = 0x009
CONNECT = 0x00A
CONNECTION_BIND = 0x00B
CONNECTION_ATTEMPT = 0x00C

MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
CHANNEL_NUMBER = 0x000C
LIFETIME = 0x000D
XOR_PEER_ADDRESS = 0x0012
DATA = 0x0013
REALM = 0x0014
NONCE = 0x0015
XOR_RELAYED_ADDRESS = 0x0016
REQUESTED_ADDRESS_FAMILY = 0x0017
EVEN_PORT = 0x0018
REQUESTED_TRANSPORT = 0x0019
DONT_FRAGMENT = 0x001A
MESSAGE_INTEGRITY_SHA256 = 0x001C
PASSWORD_ALGORITHM = 0x001D
USERHASH = 0x001E
XOR_MAPPED_ADDRESS = 0x0020
RESERVATION_TOKEN = 0x0022
CONNECTION_ID = 0x002A
ADDITIONAL_ADDRESS_FAMILY = 0x8000
ADDRESS_ERROR_CODE = 0x8001
PASSWORD_ALGORITHMS = 0x8002
ICMP = 0x8004
SOFTWARE = 0x8022
FINGERPRINT = 0x8028

MD5, SHA256 = 1, 2
IPV4, IPV6 = 1, 2
UDP = 17
TCP = 6

# The nonce cookie's security features (RFC 8489 section 18.1).
FEATURE_PASSWORD_ALGORITHMS = 0x800000
FEATURE_USERNAME_ANONYMITY = 0x400000


class Malformed(ValueError):
    """Not a STUN message."""


def padded(value):
    return value + bytes(-len(value) % 4)


def attribute(kind, value=b""):
    return struct.pack("!HH", kind, len(value)) + padded(value)


def encode_type(method, message_class):
    """RFC 8489 section 5: the class bits lie between the method's."""
    return (
        (method & 0xF80) << 2
        | (method & 0x070) << 1
        | (method & 0x00F)
        | (message_class & 2) << 7
        | (message_class & 1) << 4
    )


def decode_type(value):
    method = (value >> 2 & 0xF80) | (value >> 1 & 0x070) | (value & 0x00F)
    return method, (value >> 7 & 2) | (value >> 4 & 1)


def xor_bytes(left, right):
    return bytes(a ^ b for a, b in zip(left, right))


def encode_address(address, transaction_id=None):
    """(host, port) as MAPPED-ADDRESS, or XORed when there is a transaction id to do it with."""
    ip = ipaddress.ip_address(address[0])
    port, host = address[1], ip.packed
    if transaction_id is not None:
        mask = struct.pack("!I", MAGIC_COOKIE) + transaction_id
        port ^= MAGIC_COOKIE >> 16
        host = xor_bytes(host, mask)
    return struct.pack("!BBH", 0, IPV4 if ip.version == 4 else IPV6, port) + host


def decode_address(value, transaction_id=None):
    _, family, port = struct.unpack_from("!BBH", value)
    host = value[4:]
    if len(host) != {IPV4: 4, IPV6: 16}[family]:
        raise Malformed(f"address of {len(host)} bytes in family {family}")
    if transaction_id is not None:
        mask = struct.pack("!I", MAGIC_COOKIE) + transaction_id
        port ^= MAGIC_COOKIE >> 16
        host = xor_bytes(host, mask)
    return str(ipaddress.ip_address(host)), port


def long_term_key(username, realm, password, algorithm=MD5):
    """RFC 8489 section 18.5.1."""
    digest = {MD5: hashlib.md5, SHA256: hashlib.sha256}[algorithm]
    return digest(f"{username}:{realm}:{password}".encode()).digest()


def userhash(username, realm):
    return hashlib.sha256(f"{username}:{realm}".encode()).digest()


def with_length(message, length):
    return message[:2] + struct.pack("!H", length) + message[4:]


def add_integrity(message, key, kind=MESSAGE_INTEGRITY):
    """Append a MAC over the message as if it ended with the attribute that is appended."""
    digest, size = {
        MESSAGE_INTEGRITY: ("sha1", 20),
        MESSAGE_INTEGRITY_SHA256: ("sha256", 32),
    }[kind]
    message = with_length(message, len(message) - 20 + 4 + size)
    return message + attribute(kind, hmac.new(key, message, digest).digest())


def add_attribute(message, kind, value=b""):
    return with_length(message, len(message) - 20 + 4 + len(padded(value))) + attribute(kind, value)


def add_fingerprint(message):
    message = with_length(message, len(message) - 20 + 8)
    return message + attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(message) ^ 0x5354554E))


@dataclass
class Message:
    """attributes: (type, value) in order, values without padding."""

    method: int
    message_class: int = REQUEST
    attributes: list = field(default_factory=list)
    transaction_id: bytes = field(default_factory=lambda: os.urandom(12))
    raw: bytes = b""

    def encode(self):
        body = b"".join(attribute(kind, value) for kind, value in self.attributes)
        kind = encode_type(self.method, self.message_class)
        return struct.pack("!HHI", kind, len(body), MAGIC_COOKIE) + self.transaction_id + body

    def add(self, kind, value=b""):
        self.attributes.append((kind, value))
        return self

    def add_xor_address(self, kind, address):
        return self.add(kind, encode_address(address, self.transaction_id))

    def get(self, kind):
        for candidate, value in self.attributes:
            if candidate == kind:
                return value
        return None

    def all(self, kind):
        return [value for candidate, value in self.attributes if candidate == kind]

    def has(self, kind):
        return self.get(kind) is not None

    def u32(self, kind):
        value = self.get(kind)
        return None if value is None else struct.unpack("!I", value)[0]

    def xor_address(self, kind):
        value = self.get(kind)
        return None if value is None else decode_address(value, self.transaction_id)

    @property
    def error(self):
        """The error code of an error response, 0 of any other message."""
        value = self.get(ERROR_CODE)
        if value is None:
            return 0
        return (value[2] & 7) * 100 + value[3]

    @property
    def is_success(self):
        return self.message_class == SUCCESS

    def check_integrity(self, key):
        """True when the MAC that the message carries is right: SHA-256 where there is one, else SHA-1."""
        for kind, digest in ((MESSAGE_INTEGRITY_SHA256, "sha256"), (MESSAGE_INTEGRITY, "sha1")):
            offset = self.offset_of(kind)
            if offset is not None:
                value = self.get(kind)
                signed = with_length(self.raw[:offset], offset - 20 + 4 + len(value))
                return hmac.compare_digest(value, hmac.new(key, signed, digest).digest())
        return False

    def check_fingerprint(self):
        offset = self.offset_of(FINGERPRINT)
        if offset is None or offset + 8 != len(self.raw):
            return False
        return self.u32(FINGERPRINT) == zlib.crc32(self.raw[:offset]) ^ 0x5354554E

    def offset_of(self, kind):
        offset = 20
        for candidate, value in self.attributes:
            if candidate == kind:
                return offset
            offset += 4 + len(padded(value))
        return None


def decode(data):
    """Strict: every length exact, every padding byte zero, as our server promises to emit."""
    if len(data) < 20:
        raise Malformed("shorter than a header")
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if kind & 0xC000 or cookie != MAGIC_COOKIE or length != len(data) - 20 or length % 4:
        raise Malformed("bad header")
    method, message_class = decode_type(kind)
    message = Message(method, message_class, [], data[8:20], bytes(data))
    offset = 20
    while offset < len(data):
        if offset + 4 > len(data):
            raise Malformed("truncated attribute header")
        kind, length = struct.unpack_from("!HH", data, offset)
        end = offset + 4 + length
        following = end + (-length % 4)
        if following > len(data):
            raise Malformed("attribute runs past the end")
        if any(data[end:following]):
            raise Malformed("padding that is not zero")
        message.attributes.append((kind, bytes(data[offset + 4 : end])))
        offset = following
    return message


def is_channel_data(data):
    return len(data) >= 4 and 0x40 <= data[0] <= 0x7F


def channel_data(number, payload):
    return struct.pack("!HH", number, len(payload)) + payload


def decode_channel_data(data):
    number, length = struct.unpack_from("!HH", data)
    if len(data) < 4 + length:
        raise Malformed("ChannelData shorter than it says")
    return number, data[4 : 4 + length]


def nonce_features(nonce):
    """The 24 security feature bits of a nonce cookie, None of a nonce that has none (RFC 8489 section 9.2)."""
    if not nonce.startswith(b"obMatJos2") or len(nonce) < 13:
        return None
    return int.from_bytes(base64.b64decode(nonce[9:13]), "big")


def decode_icmp(value):
    """(type, code, error data) of an ICMP attribute (RFC 8656 section 18.13)."""
    _, kind, code, data = struct.unpack("!HBBI", value)
    return kind, code, data
