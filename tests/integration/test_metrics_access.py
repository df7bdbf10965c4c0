# SPDX-License-Identifier: BSD-3-Clause
"""Metrics over TLS, for who has the token: Prometheus reads them, nobody else does, and who tries harms no media."""

import contextlib
import http.client
import ssl
import time

import pytest

import tls
from media import Media
from monitor import METRICS_PORT, ask
from prometheus import Prometheus
from relay import SANITIZED, Relay
from streams import NAME

TOKEN, NEXT_TOKEN = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture(scope="module")
def relay(lab, authority, tokens, tmp_path_factory):
    certificate = authority.issue("metrics-access")
    settings = {
        "metrics_certificate": certificate["certificate"],
        "metrics_key": certificate["private_key"],
        "metrics_token_file": str(tokens),
    }
    with Relay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
        yield the_relay
        assert TOKEN not in the_relay.log() and NEXT_TOKEN not in the_relay.log()


@pytest.fixture(scope="module")
def context(authority):
    return authority.context()


def test_prometheus_scrapes_with_both(lab, relay, authority, tokens, tmp_path):
    how = {
        "scheme": "https",
        "tls_config": {"ca_file": str(authority.ca), "server_name": NAME},
        "authorization": {"credentials_file": str(tokens)},
    }
    with Prometheus(lab, tmp_path, **how) as prometheus:
        prometheus.wait_for("sum(turnpike_allocations_active)", 0)
        assert prometheus.value("turnpike_pages_total{result='served'}") > 0
        left_s = prometheus.value("turnpike_certificate_expiry_timestamp_seconds - time()")
        assert 89 * 86400 < left_s <= 90 * 86400


def test_without_the_token_there_are_no_metrics(lab, relay, context):
    assert ask(lab, "/metrics", context=context, **BEARER)[0] == 200
    for headers in ({}, {"Authorization": f"Bearer {NEXT_TOKEN}"}, {"Authorization": f"Basic {TOKEN}"}):
        status, body = ask(lab, "/metrics", context=context, **headers)
        assert status == 401 and "turnpike_" not in body
    assert ask(lab, "/healthz", context=context) == (200, "healthy\n")
    assert ask(lab, "/readyz", context=context) == (200, "ready\n")


def test_nothing_is_said_in_the_clear(lab, relay):
    for path in ("/metrics", "/healthz"):
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(lab, path, **BEARER)


def test_old_versions_are_refused(lab, relay, context):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with contextlib.closing(lab.tcp("relay", ("127.0.0.1", METRICS_PORT), "127.0.0.1")) as sock:
            one = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            one.check_hostname, one.verify_mode = False, ssl.CERT_NONE
            one.minimum_version = one.maximum_version = version
            assert one.wrap_socket(sock).version() == version.name.replace("_", ".")
    sock = lab.tcp("relay", ("127.0.0.1", METRICS_PORT), "127.0.0.1")
    sock.sendall(tls.client_hello([0xC02B, 0xC02C, 0xC009, 0xC00A], version=tls.TLS_1_1))
    answer = sock.recv(100)
    sock.close()
    assert answer[0] == tls.ALERT and answer[5:7] == bytes([tls.FATAL, tls.PROTOCOL_VERSION])


def test_a_reload_changes_the_token_and_the_certificate(lab, relay, tokens, authority, context):
    def status(token):
        return ask(lab, "/metrics", context=context, Authorization=f"Bearer {token}")[0]

    tokens.write_text(f"{TOKEN}\n{NEXT_TOKEN}\n")
    authority.issue("metrics-access")
    assert relay.reload()
    assert (status(TOKEN), status(NEXT_TOKEN)) == (200, 200)
    tokens.write_text("short\n")
    assert not relay.reload()
    assert (status(TOKEN), status(NEXT_TOKEN)) == (200, 200)
    tokens.write_text(TOKEN + "\n")
    assert relay.reload()
    assert (status(TOKEN), status(NEXT_TOKEN)) == (200, 401)


def connect(lab):
    return lab.tcp("relay", ("127.0.0.1", METRICS_PORT), "127.0.0.1", receive_len=2048)


def only_connecting(lab, sockets):
    sockets.extend(connect(lab) for _ in range(20))


# Far enough that the relay has signed something.
def beginning_handshakes(lab, sockets):
    for _ in range(20):
        sockets.append(connect(lab))
        sockets[-1].sendall(tls.client_hello([0xC02B]))


def beginning_hellos(lab, sockets):
    for _ in range(20):
        sockets.append(connect(lab))
        sockets[-1].sendall(b"\x16\x03\x01\x02\x00\x01")


def guessing_tokens(lab, sockets):
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    for _ in range(5):
        sock = connect(lab)
        sock.settimeout(1)
        sockets.append(sock)
        sockets[-1] = anyone.wrap_socket(sock)
        sockets[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"g" * 4000 + b"\r\n\r\n")


@pytest.mark.parametrize("trouble", [only_connecting, beginning_handshakes, beginning_hellos, guessing_tokens])
def test_media_goes_on_beside(lab, relay, client_of, context, trouble):
    sockets = []
    before_kb, before_s = relay.resident_kb(), time.monotonic()
    with Media(lab, client_of) as media:
        while time.monotonic() - before_s < 3:
            with contextlib.suppress(OSError):
                trouble(lab, sockets)
            for sock in sockets[:-100]:
                sock.close()
            del sockets[:-100]
        assert media.lost_so_far() == 0
    assert SANITIZED or relay.resident_kb() - before_kb < 20000
    for sock in sockets:
        sock.close()
    # And who asks properly is still answered.
    deadline, status = time.monotonic() + 10, None
    while status != 200 and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, _ = ask(lab, "/metrics", context=context, **BEARER)
    assert status == 200
