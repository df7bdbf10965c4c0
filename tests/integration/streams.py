# SPDX-License-Identifier: BSD-3-Clause
"""Clients over TCP, TLS and DTLS (RFC 8656 section 2.1), and the certificates that the relay serves them with."""

import contextlib
import select
import ssl
import subprocess
import threading
import time

from OpenSSL import SSL

import stun
from client import Client
from lab import RELAY4, RELAY6
from relay import PORT, TLS_PORT

NAME = "turn.example.org"
OTHER_NAME = "turn.example.net"
KEYS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
    "rsa4096": ["-newkey", "rsa:4096"],
}


class Authority:
    """Makes certificates, by the openssl command; clients that trust ca.pem accept them."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = directory / "ca.pem"
        self._request("ca", "ecdsa", "/CN=turnpike test CA", "basicConstraints=critical,CA:TRUE")

    def _request(self, stem, kind, subject, extension, *signing):
        files = ["-keyout", self.directory / f"{stem}.key", "-out", self.directory / f"{stem}.pem"]
        command = ["openssl", "req", "-x509", "-nodes", "-days", "90", "-subj", subject, "-addext", extension]
        subprocess.run([*command, *KEYS[kind], *files, *signing], check=True, capture_output=True)

    def _signing(self, stem):
        return ["-CA", self.directory / f"{stem}.pem", "-CAkey", self.directory / f"{stem}.key"]

    def issue(self, stem, names=(NAME,), kind="ecdsa", between=0):
        """An entry of the setting `certificates`, for these names and the relay's addresses. between: so many certificates
        are between it and ca.pem, and in its file."""
        signer, chain = "ca", ""
        for level in range(between):
            above, signer = signer, f"{stem}-{level}"
            extension = "basicConstraints=critical,CA:TRUE"
            self._request(signer, kind, f"/CN={signer}", extension, *self._signing(above))
            chain = (self.directory / f"{signer}.pem").read_text() + chain
        alternatives = [f"DNS:{name}" for name in names] + [f"IP:{RELAY4}", f"IP:{RELAY6}"]
        extension = "subjectAltName=" + ",".join(alternatives)
        self._request(stem, kind, f"/CN={names[0]}", extension, *self._signing(signer), "-addext", "basicConstraints=CA:FALSE")
        with open(self.directory / f"{stem}.pem", "a") as file:
            file.write(chain)
        return {
            "certificate": str(self.directory / f"{stem}.pem"),
            "private_key": str(self.directory / f"{stem}.key"),
        }

    def context(self):
        """What a client of ours trusts."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


class StreamClient(Client):
    """A connection; over TLS with a context. piece_len: of the segments, or records, that it sends. session: to resume."""

    def __init__(self, lab, family=4, context=None, port=None, name=NAME, piece_len=None, receive_len=None,
                 sock=None, session=None, **options):
        self.context, self.name, self.given_sock, self.session = context, name, sock, session
        self.piece_len, self.receive_len = piece_len, receive_len
        self.stream = b""
        self.lock = threading.Lock()  # OpenSSL's connections are for one thread at a time
        if port is None:
            port = PORT if context is None else TLS_PORT
        super().__init__(lab, family, port=port, **options)

    def open(self, lab, role, host):
        if self.given_sock is not None:
            return self.given_sock
        sock = lab.tcp(role, self.server, host, receive_len=self.receive_len)
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_hostname=self.name, session=self.session)
        return sock

    def send_bytes(self, data):
        """A message, with its padding."""
        self.send_stream(stun.padded(data))

    def send_stream(self, data):
        for start in range(0, len(data), self.piece_len or len(data)):
            with self.lock:
                self.sock.settimeout(5)
                self.sock.sendall(data[start : start + (self.piece_len or len(data))])

    def transact(self, data, timeout=3.0, retransmit=False):
        return super().transact(data, timeout, retransmit)

    def _read(self, timeout):
        deadline = time.monotonic() + timeout
        while (message := self._next_message()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._read_more(left)
        return message

    def _read_more(self, timeout):
        if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            select.select([self.sock], [], [], timeout)
        with self.lock, contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            self.sock.settimeout(0)
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionResetError("the relay has closed the connection")
            self.stream += more

    def _next_message(self):
        if len(self.stream) < 4:
            return None
        length = int.from_bytes(self.stream[2:4], "big") + (4 if stun.is_channel_data(self.stream) else 20)
        framed = length + -length % 4
        if len(self.stream) < framed:
            return None
        message, padding, self.stream = self.stream[:length], self.stream[length:framed], self.stream[framed:]
        assert not any(padding), "padding that is not zero"
        return message


class DtlsClient(Client):
    """An association, whose messages keep their bounds."""

    MESSAGE_MAX_LEN = 1024  # it writes longer ones in pieces

    def __init__(self, lab, authority, family=4, port=TLS_PORT, **options):
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_options(SSL.OP_NO_QUERY_MTU)
        self.context.load_verify_locations(str(authority.ca))
        self.context.set_verify(SSL.VERIFY_PEER)
        self.lock = threading.Lock()
        super().__init__(lab, family, port=port, **options)

    def open(self, lab, role, host):
        sock = lab.udp(role, host)
        sock.connect(self.server)
        self.association = SSL.Connection(self.context, sock)
        self.association.set_ciphertext_mtu(1200)
        self.association.set_connect_state()
        self._until(10, self.association.do_handshake)
        return sock

    def close(self):
        """With a good-bye, or the relay would keep the association for as long as a client may be silent."""
        with self.lock, contextlib.suppress(SSL.Error, OSError):
            self.association.shutdown()
        super().close()

    def send_bytes(self, data):
        with self.lock:
            self.association.send(data)

    def _read(self, timeout):
        with contextlib.suppress(TimeoutError):
            return self._until(timeout, lambda: self.association.recv(65536))

    def _until(self, timeout, action):
        """Again and again, so that OpenSSL looks at its timers."""
        deadline = time.monotonic() + timeout
        while True:
            with self.lock, contextlib.suppress(SSL.WantReadError):
                return action()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing from the relay")
            select.select([self.association], [], [], min(left, 0.25))


def is_closed(sock, within_s):
    """Whether the other side ends the connection in time; what it says before does not count."""
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            if not sock.recv(65536):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False
