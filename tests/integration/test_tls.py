# SPDX-License-Identifier: BSD-3-Clause
"""The relay's TLS and DTLS as OpenSSL's own client sees them."""

import re
import ssl
import subprocess
import time

import pytest

import stun
from lab import CLIENT4, RELAY4, RELAY6
from relay import PORT, TLS_PORT, Relay
from streams import NAME, OTHER_NAME, StreamClient

HTTPS_PORT = 443


@pytest.fixture(scope="module", params=[0, 2], ids=lambda n: f"{n}_threads")
def relay(request, lab, authority, tmp_path_factory):
    certificates = [
        authority.issue("ecdsa"),
        authority.issue("rsa", kind="rsa"),
        authority.issue("other", [OTHER_NAME]),
        authority.issue("wildcard", ["*.example.com"]),
    ]
    with Relay(
        lab,
        tmp_path_factory.mktemp("relay"),
        certificates=certificates,
        tls_listen=[{"address": RELAY4, "port": HTTPS_PORT}],
        tls_threads=request.param,
    ) as the_relay:
        yield the_relay


def s_client(lab, authority, *options, server=f"{RELAY4}:{TLS_PORT}", commands=""):
    """What openssl s_client prints of one connection."""
    command = ["timeout", 10, "openssl", "s_client", "-connect", server, "-CAfile", authority.ca, *options]
    result = lab.run("client", *command, check=False, input=commands)
    return result.stdout + result.stderr


def is_connected(output):
    return "Cipher is (NONE)" not in output and re.search(r"Cipher is \S+", output) is not None


@pytest.mark.parametrize(
    "options, said",
    [(["-tls1_2"], "New, TLSv1.2"), (["-tls1_3"], "New, TLSv1.3"), (["-dtls1_2"], "Protocol  : DTLSv1.2")],
    ids=["tls1_2", "tls1_3", "dtls1_2"],
)
@pytest.mark.parametrize("server", [f"{RELAY4}:{TLS_PORT}", f"[{RELAY6}]:{TLS_PORT}"], ids=["ipv4", "ipv6"])
def test_speaks_the_versions_of_today(lab, relay, authority, options, said, server):
    output = s_client(lab, authority, *options, server=server)
    assert is_connected(output) and said in output, output
    assert "Verify return code: 0 (ok)" in output, output


def test_dtls_is_served_beside_plain_udp(lab, relay, authority):
    assert is_connected(s_client(lab, authority, "-dtls1_2", server=f"{RELAY4}:{PORT}"))


def test_tls_is_served_on_further_ports(lab, relay, authority):
    assert is_connected(s_client(lab, authority, server=f"{RELAY4}:{HTTPS_PORT}"))


# The client itself refuses these unless it is told that they are good enough.
WEAK = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1", "-dtls1"])
def test_refuses_old_versions(lab, relay, authority, version):
    output = s_client(lab, authority, version, *WEAK)
    assert not is_connected(output), output
    assert "alert protocol version" in output, output


@pytest.mark.parametrize(
    "cipher",
    ["NULL", "aNULL", "AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
     "DHE-RSA-AES128-GCM-SHA256", "PSK"],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-dtls1_2"])
def test_refuses_weak_ciphers(lab, relay, authority, cipher, version):
    options = ["-cipher", f"{cipher}:@SECLEVEL=0"]
    if cipher == "PSK":
        options += ["-psk", "00"]
    output = s_client(lab, authority, version, *options)
    assert not is_connected(output), output
    assert "alert handshake failure" in output, output


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3", "-dtls1_2"])
def test_chooses_stun_in_alpn(lab, relay, authority, version):
    output = s_client(lab, authority, version, "-alpn", "h2,stun.turn")
    assert is_connected(output) and "ALPN protocol: stun.turn" in output, output
    output = s_client(lab, authority, version, "-alpn", "stun.nat-discovery")
    assert is_connected(output) and "ALPN protocol: stun.nat-discovery" in output, output


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3", "-dtls1_2"])
def test_refuses_what_is_not_stun_in_alpn(lab, relay, authority, version):
    output = s_client(lab, authority, version, "-alpn", "h2,http/1.1")
    assert not is_connected(output) or "alert" in output, output
    assert "alert no application protocol" in output, output


@pytest.mark.parametrize("version", ["-tls1_2", "-dtls1_2"])
def test_refuses_renegotiation(lab, relay, authority, version):
    output = s_client(lab, authority, version, commands="R\n")
    assert is_connected(output) and "RENEGOTIATING" in output, output
    assert "no renegotiation" in output, output


@pytest.mark.parametrize(
    "name, expected",
    [
        (NAME, NAME),
        (OTHER_NAME, OTHER_NAME),
        ("a.example.com", "*.example.com"),
        ("unknown.example.edu", NAME),
        (None, NAME),
    ],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3", "-dtls1_2"])
def test_chooses_the_certificate_by_name(lab, relay, authority, version, name, expected):
    output = s_client(lab, authority, version, *(["-servername", name] if name else ["-noservername"]))
    assert f"subject=CN = {expected}\n" in output, output


@pytest.mark.parametrize(
    "options, kind",
    [
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA-PSS"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
        (["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"], "RSA-PSS"),
        (["-tls1_3", "-sigalgs", "ECDSA+SHA256"], "ECDSA"),
    ],
    ids=" ".join,
)
def test_signs_with_the_key_that_a_client_can_verify(lab, relay, authority, options, kind):
    output = s_client(lab, authority, *options)
    assert is_connected(output), output
    assert f"Peer signature type: {kind}\n" in output, output


@pytest.mark.parametrize("version", ["-tls1_2", "-dtls1_2"])
def test_resumes_a_session_by_ticket(lab, relay, authority, tmp_path, version):
    saved = tmp_path / "session.pem"
    command = lab.command(
        "client", "openssl", "s_client", "-connect", f"{RELAY4}:{TLS_PORT}", version, "-sess_out", saved
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as first:
        deadline = time.monotonic() + 10
        while not (saved.exists() and saved.stat().st_size > 0):
            assert time.monotonic() < deadline, "no ticket"
            time.sleep(0.02)
        first.stdin.close()
        first.wait(10)
    output = s_client(lab, authority, version, "-sess_in", saved)
    assert re.search(r"^Reused, ", output, re.MULTILINE), output


def test_with_tls_1_3_who_has_an_allocation_has_a_ticket(lab, relay, authority):
    context = authority.context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with StreamClient(lab, context=context) as first:
        first.discover()
        assert not first.sock.session.has_ticket
        first.allocate()
        session = first.sock.session
        assert session.has_ticket
    with StreamClient(lab, context=context, session=session) as again:
        assert again.sock.session_reused
        again.allocate()
        assert again.sock.session.has_ticket and again.sock.session.id != session.id


def test_clients_over_tls_exchange_messages_with_openssl_alone(lab, relay, authority):
    # A Binding request by s_client, which passes bytes on as they are.
    request = stun.Message(stun.BINDING).encode()
    command = lab.command("client", "openssl", "s_client", "-quiet", "-connect", f"{RELAY4}:{TLS_PORT}")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as process:
        process.stdin.write(request)
        process.stdin.flush()
        head = process.stdout.read(20)
        answer = stun.decode(head + process.stdout.read(int.from_bytes(head[2:4], "big")))
        process.kill()
    assert answer.is_success and answer.transaction_id == request[8:20]
    assert answer.xor_address(stun.XOR_MAPPED_ADDRESS)[0] == CLIENT4
