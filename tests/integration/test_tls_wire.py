# SPDX-License-Identifier: BSD-3-Clause
"""The relay's TLS and DTLS against what no library says: every cipher suite there is, and records that nobody should send.
Whatever comes, others' media goes on."""

import contextlib
import itertools
import random
import re
import ssl
import struct

import pytest

import tls
from lab import CLIENT4, CLIENT4_OTHER, HERE, RELAY4
from media import Media, lossless
from relay import SANITIZED, TLS_PORT, Relay
from streams import DtlsClient, StreamClient, is_closed

SUITES_1_2 = {
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
    0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
}
SUITES_1_3 = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
}
GOOD = list(SUITES_1_2)
# All numbers, but for those that are no suites (RFC 5746 section 3.3, RFC 7507 section 2).
ALL_SUITES = [number for number in range(65536) if number not in (tls.RENEGOTIATION_SCSV, tls.FALLBACK_SCSV)]
SUITES_A_HELLO = 4000
SUITES_A_DATAGRAM = 500
CERTIFICATE = 11
HELD = 500  # handshakes that go no further


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    certificates = [authority.issue("ecdsa"), authority.issue("rsa", kind="rsa")]
    with Relay(lab, tmp_path_factory.mktemp("relay"), certificates=certificates) as the_relay:
        yield the_relay


@pytest.fixture(scope="module", autouse=True)
def media(lab, relay, authority):
    with lossless(
        relay,
        Media(lab, lambda family: StreamClient(lab, family, context=authority.context())),
        Media(lab, lambda family: DtlsClient(lab, authority, family)),
    ) as flows:
        yield flows


@pytest.fixture(autouse=True)
def nobody_notices(relay, media):
    yield
    assert relay.is_running
    assert [flow.lost_so_far() for flow in media] == [0, 0]


@pytest.fixture
def connect(lab):
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(lab.tcp("client", (RELAY4, TLS_PORT), CLIENT4_OTHER, timeout=5))


@pytest.fixture(scope="module")
def unused_ports():
    """What a handshake that was left has still to say is not heard by whoever comes after it."""
    return itertools.count(10000)


@pytest.fixture
def datagrams(lab, unused_ports):
    """datagrams() makes sockets from which datagrams go to the relay and nowhere else."""
    with contextlib.ExitStack() as stack:

        def make(host=CLIENT4_OTHER):
            sock = stack.enter_context(lab.udp("client", host, next(unused_ports), timeout=0.3))
            sock.connect((RELAY4, TLS_PORT))
            return sock

        yield make


# Cipher suites


def chunks(values, length):
    values = list(values)
    random.shuffle(values)
    return [values[start : start + length] for start in range(0, len(values), length)]


def accepted(ask, suites_at_once):
    """Every suite that ask(suites) chooses, until it refuses what is left."""
    found = []
    for suites in chunks(ALL_SUITES, suites_at_once):
        while suites and (answer := ask(suites)).suite is not None:
            found.append(answer.suite)
            suites = [suite for suite in suites if suite != answer.suite]
        assert not suites or (answer.level, answer.alert) == (tls.FATAL, tls.HANDSHAKE_FAILURE)
    return sorted(found)


@pytest.mark.parametrize("versions, expected", [((), SUITES_1_2), ((tls.TLS_1_3,), SUITES_1_3)], ids=["1_2", "1_3"])
def test_of_all_cipher_suites_tls_takes_those_that_are_documented(lab, versions, expected):
    def ask(suites):
        with lab.tcp("client", (RELAY4, TLS_PORT), CLIENT4_OTHER) as sock:
            return tls.ask(sock, tls.client_hello(suites, more=tls.extensions(versions=versions)))

    assert accepted(ask, SUITES_A_HELLO) == sorted(expected)


def datagram_hello(suites, cookie=b"", version=tls.DTLS_1_2, **options):
    """After the question for a cookie comes message 1."""
    body = tls.hello_body(suites, version, cookie=cookie, **options)
    sequence = int(cookie != b"")
    return tls.datagram_record(
        tls.HANDSHAKE, tls.datagram_handshake(tls.CLIENT_HELLO, body, sequence), sequence=sequence
    )


def ask_with_cookie(sock, suites, **options):
    state = random.getstate()  # the same random bytes twice
    verify = tls.ask_by_datagram(sock, datagram_hello(suites, **options))
    random.setstate(state)
    answer = tls.ask_by_datagram(sock, datagram_hello(suites, verify.cookie, **options))
    random.seed()
    return answer


def test_of_all_cipher_suites_dtls_takes_those_that_are_documented(datagrams):
    assert accepted(lambda suites: ask_with_cookie(datagrams(), suites), SUITES_A_DATAGRAM) == sorted(SUITES_1_2)


def test_the_documentation_has_the_same_list():
    text = (HERE.parent.parent / "docs" / "configuration.md").read_text()
    documented = re.search(r'`tls_ciphers` \| string \| `"([^"]*)"`', text).group(1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(documented)
    names = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"}
    assert names == set(SUITES_1_2.values())


# Versions and what else is negotiated


# SSL 3.0 has no word for it.
OLD = {tls.SSL_3: tls.HANDSHAKE_FAILURE}


@pytest.mark.parametrize("version", [tls.SSL_3, tls.TLS_1_0, tls.TLS_1_1], ids=["ssl_3", "tls_1_0", "tls_1_1"])
def test_old_versions_are_refused(connect, version):
    answer = tls.ask(connect(), tls.client_hello([*GOOD, 0x002F, 0x000A, 0xC013], version=version))
    assert (answer.level, answer.alert) == (tls.FATAL, OLD.get(version, tls.PROTOCOL_VERSION))


@pytest.mark.parametrize("version", [tls.SSL_2, tls.SSL_3, tls.TLS_1_0], ids=["ssl_2", "ssl_3", "tls_1_0"])
def test_old_versions_are_refused_in_the_old_form(connect, version):
    # RFC 6101 appendix E.1.
    suites = b"".join(b"\0" + struct.pack("!H", suite) for suite in [*GOOD, 0x000A]) + b"\x07\x00\xc0"
    body = b"\1" + struct.pack("!HHHH", version, len(suites), 0, 32) + suites + random.randbytes(32)
    sock = connect()
    sock.sendall(struct.pack("!H", 0x8000 | len(body)) + body)
    with contextlib.suppress(ConnectionError):
        answer = tls.read_answer(sock)
        assert (answer.level, answer.alert) == (tls.FATAL, OLD.get(version, tls.PROTOCOL_VERSION))
    assert is_closed(sock, within_s=2)


def test_a_client_that_falls_back_without_need_is_told(connect):
    answer = tls.ask(connect(), tls.client_hello([*GOOD, tls.FALLBACK_SCSV]))
    assert (answer.level, answer.alert) == (tls.FATAL, tls.INAPPROPRIATE_FALLBACK)


def test_a_server_hello_says_what_a_careful_client_wants(connect):
    offered = [tls.extension(kind) for kind in (tls.EXTENDED_MASTER_SECRET,)]
    offered += [tls.extension(tls.HEARTBEAT_EXTENSION, b"\1"), tls.extension(tls.RENEGOTIATION, b"\0")]
    answer = tls.ask(connect(), tls.client_hello(GOOD, compressions=b"\1\0", more=tls.extensions(*offered)))
    assert (answer.version, answer.compression) == (tls.TLS_1_2, 0)
    assert answer.extensions[tls.RENEGOTIATION] == b"\0"
    assert answer.extensions[tls.EXTENDED_MASTER_SECRET] == b""
    assert tls.HEARTBEAT_EXTENSION not in answer.extensions


def test_a_client_has_to_do_without_compression(connect):
    answer = tls.ask(connect(), tls.client_hello(GOOD, compressions=b"\1"))
    assert answer.level == tls.FATAL and answer.alert in (tls.DECODE_ERROR, tls.ILLEGAL_PARAMETER)


def test_the_newest_version_that_both_know_is_taken(connect):
    suites = [*SUITES_1_3, *SUITES_1_2]
    answer = tls.ask(connect(), tls.client_hello(suites, more=tls.extensions(versions=[0x7F1C, tls.TLS_1_2, tls.TLS_1_3])))
    assert answer.version == tls.TLS_1_3
    answer = tls.ask(connect(), tls.client_hello(suites, version=0x0309))
    assert answer.version == tls.TLS_1_2


# Records


def test_a_hello_in_records_of_a_byte_is_understood(connect):
    hello = tls.handshake(tls.CLIENT_HELLO, tls.hello_body(GOOD))
    answer = tls.ask(connect(), b"".join(tls.record(tls.HANDSHAKE, bytes([byte])) for byte in hello))
    assert answer.suite in SUITES_1_2


HELLO = tls.client_hello(GOOD)
BAD = {
    "longer_than_any_record": tls.record(tls.HANDSHAKE, bytes(100), length=0xFFFF),
    "longer_than_a_plain_record": tls.record(tls.HANDSHAKE, bytes(16385)),
    "many_empty_records": tls.record(tls.HANDSHAKE, b"") * 100,
    "cipher_spec_before_hello": tls.record(tls.CHANGE_CIPHER_SPEC, b"\1") + HELLO,
    "cipher_spec_after_hello": HELLO + tls.record(tls.CHANGE_CIPHER_SPEC, b"\1") + tls.record(tls.HANDSHAKE, bytes(40)),
    "unknown_record": tls.record(99, bytes(10)),
    "unknown_record_after_hello": HELLO + tls.record(99, bytes(10)),
    "heartbeat": tls.record(tls.HEARTBEAT, b"\1\x40\x00"),
    "heartbeat_after_hello": HELLO + tls.record(tls.HEARTBEAT, b"\1\x40\x00"),
    "data_before_hello": tls.record(tls.APPLICATION_DATA, bytes(100)),
    "data_after_hello": HELLO + tls.record(tls.APPLICATION_DATA, bytes(100)),
    "many_warnings": tls.record(tls.ALERT, bytes([tls.WARNING, 90])) * 100,
    "an_alert_in_pieces": tls.record(tls.ALERT, b"\1") * 2,
    "a_fatal_alert": tls.record(tls.ALERT, bytes([tls.FATAL, tls.HANDSHAKE_FAILURE])),
    "another_message_first": tls.record(tls.HANDSHAKE, tls.handshake(16, bytes(66))),
    "a_hello_of_16_mb": tls.record(tls.HANDSHAKE, tls.handshake(tls.CLIENT_HELLO, bytes(100), length=0xFFFFFF)),
    "a_hello_and_more_in_it": tls.record(
        tls.HANDSHAKE, tls.handshake(tls.CLIENT_HELLO, tls.hello_body(GOOD) + bytes(5))
    ),
    "no_suites": tls.client_hello([]),
    "a_suite_and_a_half": HELLO[:44] + b"\0\3" + HELLO[46:],
    "two_hellos": HELLO + HELLO,
    "extensions_twice": tls.client_hello(GOOD, more=tls.extensions() + tls.extensions()),
    "a_name_of_64_kb": tls.client_hello(GOOD, more=struct.pack("!HH", 0, 0xFFFF) + bytes(10)),
    "a_record_of_version_9": tls.record(tls.HANDSHAKE, bytes(50), version=0x0909),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_handshake_ends_the_connection_at_once(connect, name):
    sock = connect()
    with contextlib.suppress(ConnectionError):
        sock.sendall(BAD[name])
    assert is_closed(sock, within_s=3)


# Where its head alone gets the server to take memory for all of it, and where it comes but for its end; and what each may cost.
@pytest.mark.parametrize("sent, most_kb", [(100, 80), (130900, 140)], ids=["a_head", "all_but_the_end"])
def test_many_long_hellos_that_never_end_cost_a_bounded_amount(lab, relay, record_figures, sent, most_kb):
    hello = tls.handshake(tls.CLIENT_HELLO, bytes(sent), length=131000)
    start = b"".join(tls.record(tls.HANDSHAKE, hello[at : at + 16000]) for at in range(0, len(hello), 16000))
    before_kb = relay.resident_kb()
    with contextlib.ExitStack() as stack:
        for _ in range(HELD):
            stack.enter_context(lab.tcp("client", (RELAY4, TLS_PORT), CLIENT4_OTHER)).sendall(start)
        grown_kb = relay.resident_kb() - before_kb
    record_figures(grown_kb=grown_kb)
    assert SANITIZED or grown_kb < HELD * most_kb


# Datagrams


def test_a_question_for_a_cookie_is_no_longer_than_the_hello(datagrams):
    sock = datagrams()
    hello = datagram_hello(GOOD[:1], more=b"")
    sock.send(hello)
    assert 0 < len(sock.recv(65536)) <= len(hello)


@pytest.mark.parametrize("host", [CLIENT4_OTHER, CLIENT4], ids=["port", "address"])
def test_a_cookie_is_good_at_one_address_alone(datagrams, host):
    sock, other = datagrams(), datagrams(host)
    cookie = tls.ask_by_datagram(sock, datagram_hello(GOOD)).cookie
    again = tls.ask_by_datagram(other, datagram_hello(GOOD, cookie))
    assert again.cookie not in (None, cookie) and again.suite is None
    assert tls.ask_by_datagram(sock, datagram_hello(GOOD, cookie)).suite in SUITES_1_2


def test_a_forged_cookie_is_no_cookie(datagrams):
    sock = datagrams()
    cookie = tls.ask_by_datagram(sock, datagram_hello(GOOD)).cookie
    for forged in (bytes(len(cookie)), cookie[:-1], cookie + b"\0", bytes([cookie[0] ^ 1]) + cookie[1:], bytes(255)):
        assert tls.ask_by_datagram(sock, datagram_hello(GOOD, forged)).cookie == cookie


def test_dtls_1_0_is_refused(datagrams):
    answer = ask_with_cookie(datagrams(), [*GOOD, 0x002F, 0xC013], version=tls.DTLS_1_0)
    assert (answer.level, answer.alert) == (tls.FATAL, tls.PROTOCOL_VERSION)


def part_of_hello(offset, length, body=None, sequence=0):
    body = body or tls.hello_body(GOOD, tls.DTLS_1_2, cookie=b"")
    part = body[offset : offset + length]
    message = tls.datagram_handshake(tls.CLIENT_HELLO, part, sequence, offset, total=len(body))
    return tls.datagram_record(tls.HANDSHAKE, message, sequence=sequence)


def test_a_hello_may_come_in_parts(datagrams):
    sock = datagrams()
    # The first part has all that a question for a cookie takes; the rest would have to be kept for that.
    body = tls.hello_body(GOOD, tls.DTLS_1_2, cookie=b"")
    cookie = tls.ask_by_datagram(sock, part_of_hello(0, 60, body)).cookie
    assert tls.ask_by_datagram(sock, part_of_hello(60, 1000, body)) is None
    body = body[:35] + bytes([len(cookie)]) + cookie + body[36:]
    assert tls.ask_by_datagram(sock, part_of_hello(0, 60, body, 1)) is None
    assert tls.ask_by_datagram(sock, part_of_hello(60, 1000, body, 1)).suite in SUITES_1_2


@pytest.mark.parametrize("total", [4096, 16384], ids=["4_kb", "16_kb"])
def test_messages_of_which_a_part_is_missing_cost_a_bounded_amount(datagrams, relay, record_figures, total):
    # After a good cookie OpenSSL keeps ten messages that came too early.
    messages = [
        tls.datagram_handshake(CERTIFICATE, bytes(1024), number, at, total=total)
        for number in range(3, 13)
        for at in range(1, total - 1024, 1024)
    ]
    parts = [
        tls.datagram_record(tls.HANDSHAKE, message, tls.DTLS_1_2, sequence=number + 10)
        for number, message in enumerate(messages)
    ]
    before_kb = relay.resident_kb()
    for _ in range(HELD):
        sock = datagrams()
        cookie = tls.ask_by_datagram(sock, DATAGRAM_HELLO).cookie
        assert tls.ask_by_datagram(sock, datagram_hello(GOOD, cookie)).suite in SUITES_1_2
        for part in parts:
            sock.send(part)
    grown_kb = relay.resident_kb() - before_kb
    record_figures(grown_kb=grown_kb)
    assert SANITIZED or grown_kb < HELD * 130


DATAGRAM_HELLO = datagram_hello(GOOD)
IGNORED = {
    "the_end_of_a_hello": part_of_hello(60, 1000),
    "a_hello_that_ends_before_the_cookie": part_of_hello(0, 34),
    "epoch_1": DATAGRAM_HELLO[:3] + b"\0\1" + DATAGRAM_HELLO[5:],
    "a_record_longer_than_its_datagram": DATAGRAM_HELLO[:11] + b"\xff\xff" + DATAGRAM_HELLO[13:],
    "a_part_longer_than_its_message": DATAGRAM_HELLO[:22] + b"\xff\xff\xff" + DATAGRAM_HELLO[25:],
    "half_a_head": DATAGRAM_HELLO[:7],
    "an_empty_record": tls.datagram_record(tls.HANDSHAKE, b""),
    "data": tls.datagram_record(tls.APPLICATION_DATA, bytes(100)),
    "data_of_epoch_1": tls.datagram_record(tls.APPLICATION_DATA, bytes(100), tls.DTLS_1_2, epoch=1),
    "a_cipher_spec": tls.datagram_record(tls.CHANGE_CIPHER_SPEC, b"\1"),
    "an_alert": tls.datagram_record(tls.ALERT, bytes([tls.FATAL, tls.HANDSHAKE_FAILURE])),
    "a_finished_message": tls.datagram_record(tls.HANDSHAKE, tls.datagram_handshake(20, bytes(12))),
    "an_unknown_record": tls.datagram_record(60, bytes(100)),
    "nonsense": b"\x16" + bytes(range(200)),
}


@pytest.mark.parametrize("name", IGNORED)
def test_strangers_who_say_no_hello_hear_nothing(datagrams, name):
    assert tls.ask_by_datagram(datagrams(), IGNORED[name]) is None


@pytest.mark.parametrize("name", IGNORED)
def test_a_handshake_goes_on_whatever_comes_between(datagrams, name):
    sock = datagrams()
    cookie = tls.ask_by_datagram(sock, datagram_hello(GOOD)).cookie
    sock.send(IGNORED[name])
    assert tls.ask_by_datagram(sock, datagram_hello(GOOD, cookie)).suite in SUITES_1_2
