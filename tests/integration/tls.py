# SPDX-License-Identifier: BSD-3-Clause
"""TLS and DTLS byte by byte, for what no library would say: hellos, records, alerts (RFC 5246, RFC 6347, RFC 8446)."""

import random
import socket
import struct

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY_REQUEST = 1, 2, 3
TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0301, 0x0302, 0x0303, 0x0304
SSL_2, SSL_3, DTLS_1_0, DTLS_1_2 = 0x0002, 0x0300, 0xFEFF, 0xFEFD
WARNING, FATAL = 1, 2
CLOSE_NOTIFY, UNEXPECTED_MESSAGE, RECORD_OVERFLOW, HANDSHAKE_FAILURE = 0, 10, 22, 40
ILLEGAL_PARAMETER, DECODE_ERROR, PROTOCOL_VERSION, INAPPROPRIATE_FALLBACK = 47, 50, 70, 86
FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0x00FF
HEARTBEAT_EXTENSION, EXTENDED_MASTER_SECRET, SUPPORTED_VERSIONS, KEY_SHARE, RENEGOTIATION = 15, 23, 43, 51, 0xFF01
DTLS_RECORD_HEAD_LEN = 13
# Whatever a server may sign with and exchange keys by.
GROUPS = (29, 23, 24, 25, 30, 256, 257)
SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807, 0x0203, 0x0201)


def list16(values):
    return struct.pack(f"!H{len(values)}H", 2 * len(values), *values)


def extension(kind, body=b""):
    return struct.pack("!HH", kind, len(body)) + body


def extensions(*more, versions=()):
    usual = [extension(10, list16(GROUPS)), extension(11, b"\1\0"), extension(13, list16(SIGNATURES))]
    if versions:
        body = list16(versions)[1:]
        usual += [extension(SUPPORTED_VERSIONS, body), extension(KEY_SHARE, b"\0\0")]
    return b"".join([*usual, *more])


def hello_body(suites, version=TLS_1_2, compressions=b"\0", more=None, cookie=None):
    more = extensions() if more is None else more
    session_and_cookie = b"\0" if cookie is None else b"\0" + bytes([len(cookie)]) + cookie
    head = struct.pack("!H", version) + random.randbytes(32) + session_and_cookie + list16(suites)
    return head + bytes([len(compressions)]) + compressions + struct.pack("!H", len(more)) + more


def handshake(kind, body, length=None):
    return bytes([kind]) + (len(body) if length is None else length).to_bytes(3, "big") + body


def record(kind, body, version=TLS_1_0, length=None):
    return struct.pack("!BHH", kind, version, len(body) if length is None else length) + body


def client_hello(suites, record_version=TLS_1_0, **options):
    return record(HANDSHAKE, handshake(CLIENT_HELLO, hello_body(suites, **options)), record_version)


def datagram_handshake(kind, body, sequence=0, offset=0, total=None):
    """A message, or a part of one."""
    total = len(body) if total is None else total
    head = bytes([kind]) + total.to_bytes(3, "big") + struct.pack("!H", sequence)
    return head + offset.to_bytes(3, "big") + len(body).to_bytes(3, "big") + body


def datagram_record(kind, body, version=DTLS_1_0, epoch=0, sequence=0, length=None):
    length = len(body) if length is None else length
    return struct.pack("!BHHIHH", kind, version, epoch, sequence >> 16, sequence & 0xFFFF, length) + body


class Answer:
    """What a server says to a hello: an alert, or its own hello."""

    def __init__(self, kind, body, head_len):
        self.alert = self.suite = self.version = self.compression = self.cookie = None
        self.extensions = {}
        if kind == ALERT:
            self.level, self.alert = body[0], body[1]
        elif kind == HANDSHAKE and body[0] == SERVER_HELLO:
            self._read_hello(body[head_len:])
        elif kind == HANDSHAKE and body[0] == HELLO_VERIFY_REQUEST:
            self.cookie = body[head_len + 3 : head_len + 3 + body[head_len + 2]]
        else:
            raise AssertionError(f"neither an alert nor a hello: {kind} {body[:20].hex()}")

    def _read_hello(self, body):
        self.version = int.from_bytes(body[:2], "big")
        at = 35 + body[34]
        self.suite, self.compression = struct.unpack_from("!HB", body, at)
        at += 5
        while at + 4 <= len(body):
            kind, length = struct.unpack_from("!HH", body, at)
            self.extensions[kind] = body[at + 4 : at + 4 + length]
            at += 4 + length
        if SUPPORTED_VERSIONS in self.extensions:
            self.version = int.from_bytes(self.extensions[SUPPORTED_VERSIONS], "big")


def read_exactly(sock, length):
    data = b""
    while len(data) < length:
        more = sock.recv(length - len(data))
        if not more:
            raise ConnectionResetError("the relay has closed the connection")
        data += more
    return data


def read_record(sock):
    kind, _, length = struct.unpack("!BHH", read_exactly(sock, 5))
    return kind, read_exactly(sock, length)


def read_answer(sock):
    return Answer(*read_record(sock), 4)


def ask(sock, data):
    sock.sendall(data)
    return read_answer(sock)


def ask_by_datagram(sock, data):
    """None: nothing came."""
    sock.send(data)
    try:
        datagram = sock.recv(65536)
    except (TimeoutError, socket.timeout):
        return None
    return Answer(datagram[0], datagram[DTLS_RECORD_HEAD_LEN:], 12)
