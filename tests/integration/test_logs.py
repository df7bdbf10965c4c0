# SPDX-License-Identifier: BSD-3-Clause
"""The log and the session log: what they say is what clients did, readers can be anything, and nobody waits for them."""

import base64
import contextlib
import hashlib
import hmac
import re
import subprocess
import time

import pytest

import monitor
import stun
from client import Client, need
from lab import HERE, PEER4
from logs import JOURNAL_AT, Daemon, dev_log, journal_fields, json_lines, sessions, unread_pipe, wait_for
from media import Media, lossless
from monitor import samples
from relay import Relay, render_config
from streams import DtlsClient, StreamClient
from telemetry import ask
from test_tcp_relay import joined, receive, receive_from

CHANNEL = 0x4000
TO_PEER, TO_CLIENT = (7, 100), (5, 333)  # datagrams, bytes of each
FILTER = HERE.parent.parent / "config" / "fail2ban" / "filter.d" / "turnpike.conf"


@pytest.fixture
def run(lab, tmp_path):
    """run(...) starts a relay with these settings, and a session log, that is stopped after the test."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            path = tmp_path / "sessions.log"
            settings = {"session_log": {"to": "file", "file": str(path), "format": "json"}, **options}
            relay = stack.enter_context(Relay(lab, tmp_path, **settings))
            relay.sessions = path
            return relay

        yield start


@pytest.fixture(params=["udp", "tcp", "tls", "dtls"])
def transport(request):
    return request.param


def make_client(lab, authority, transport):
    if transport == "udp":
        return Client(lab)
    if transport == "dtls":
        return DtlsClient(lab, authority)
    return StreamClient(lab, context=authority.context() if transport == "tls" else None)


def exchange(lab, client):
    """So many datagrams each way, one as an indication."""
    with lab.udp("peer", PEER4) as peer:
        client.bind(CHANNEL, peer.getsockname()[:2])
        for number in range(TO_PEER[0]):
            if number == 0:
                client.send_indication(peer.getsockname()[:2], bytes(TO_PEER[1]))
            else:
                client.send_channel(CHANNEL, bytes(TO_PEER[1]))
            peer.recvfrom(2048)
        for _ in range(TO_CLIENT[0]):
            peer.sendto(bytes(TO_CLIENT[1]), client.relayed)
            assert client.receive() is not None


def text_of(address):
    return "%s:%d" % tuple(address[:2])


def test_the_session_line_is_what_the_client_did(lab, run, authority, transport):
    relay = run(certificates=[authority.issue("server")])
    began = time.time()
    with make_client(lab, authority, transport) as client:
        client.allocate()
        exchange(lab, client)
        time.sleep(0.3)
        need(client.refresh(0))
        address, relayed = client.address, client.relayed
        lasted = time.time() - began
        (line,) = wait_for(lambda: sessions(relay.sessions))
    assert line["event"] == "session_ended"
    assert re.fullmatch("[0-9a-f]{16}", line["session"])
    assert (line["user"], line["realm"], line["transport"], line["peers"]) == (
        "alice",
        "turnpike.test",
        transport,
        "udp",
    )
    assert (line["client"], line["relayed"]) == (text_of(address), text_of(relayed))
    assert line["server"] == text_of(client.server)
    assert (line["to_peer_packets"], line["to_peer_bytes"]) == (TO_PEER[0], TO_PEER[0] * TO_PEER[1])
    assert (line["to_client_packets"], line["to_client_bytes"]) == (TO_CLIENT[0], TO_CLIENT[0] * TO_CLIENT[1])
    assert 0.2 < line["duration_s"] < lasted + 0.2
    assert line["reason"] == "deleted"


def test_a_tcp_allocation_leaves_one_too(lab, run):
    relay = run(tcp_relay=True)
    with contextlib.ExitStack() as stack:

        def stream_of(*arguments, **options):
            return stack.enter_context(StreamClient(lab, *arguments, **options))

        control = stream_of()
        control.allocate(transport=stun.TCP)
        data, peer = joined(lab, stream_of, control)
        with peer:
            data.sock.sendall(bytes(1234))
            receive_from(peer, 1234)
            peer.sendall(bytes(567))
            receive(data, 567)
            need(control.refresh(0))
            (line,) = wait_for(lambda: sessions(relay.sessions))
    assert (line["peers"], line["transport"], line["reason"]) == ("tcp", "tcp", "deleted")
    assert (line["tcp_connections"], line["to_peer_bytes"], line["to_client_bytes"]) == (1, 1234, 567)
    assert line["relayed"] == text_of(control.relayed)
    assert "to_peer_packets" not in line


def test_every_reason_is_said(lab, run):
    relay = run(default_lifetime=1, max_lifetime=100)
    with contextlib.ExitStack() as stack:
        clients = {reason: stack.enter_context(Client(lab)) for reason in ("expired", "deleted", "killed", "shut_down")}
        clients["disconnected"] = StreamClient(lab)
        for reason, client in clients.items():
            client.allocate(lifetime=1 if reason == "expired" else 100)
        addresses = {reason: client.address for reason, client in clients.items()}
        need(clients["deleted"].refresh(0))
        clients["disconnected"].close()
        (killed,) = ask(relay, "/turnpike/allocations,client=" + text_of(addresses["killed"]))["allocations"]
        assert ask(relay, f"/turnpike/kill,session={killed}") == {"killed": 1}
        wait_for(lambda: len(sessions(relay.sessions)) == 4)
        assert sessions(relay.sessions, session=killed, reason="killed")
        assert relay.stop() == 0
        assert relay.in_use()["allocations"] == 0
    said = {line["client"]: line["reason"] for line in sessions(relay.sessions)}
    assert said == {text_of(address): reason for reason, address in addresses.items()}
    assert "log_lost" not in relay.log()


def test_the_log_says_the_same_in_a_line_of_its_own(lab, run):
    relay = run(session_log={"to": "log"}, log={"format": "json"})
    with Client(lab) as client:
        client.allocate()
        need(client.refresh(0))
        (line,) = wait_for(lambda: sessions(relay.log_path, event="session_ended"))
    assert (line["user"], line["reason"], line["to_peer_bytes"]) == ("alice", "deleted", 0)
    assert all({"time", "level", "event"} <= entry.keys() for entry in json_lines(relay.log_path))


def refused(lab, username, password="wrong"):
    with Client(lab, username=username, password=password) as client:
        client.discover()
        assert client.request(client.allocate_request()).error == 401


def test_what_users_say_of_themselves_is_escaped_and_secrets_are_not_said(lab, run):
    relay = run(log={"format": "json", "level": "debug", "rate": 0})
    names = ["mallory\nwarning login_refused client=192.0.2.1", 'quote"back\\slash', "\x1b[31m\u009b31m", "nul\0nul", "é日本"]
    for name in names:
        refused(lab, name)
    refused(lab, "alice", "a-password-that-is-wrong")
    with Client(lab) as client:
        client.allocate()
        need(client.refresh(0))
    wait_for(lambda: sessions(relay.log_path, event="session_ended"))
    lines = sessions(relay.log_path, event="login_refused")
    assert {line["user"] for line in lines} == {*names, "alice"}
    assert {line["reason"] for line in lines} == {"unknown_user", "wrong_password"}
    raw = relay.log_path.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", raw)
    for secret in (b"wonderland", b"builder", b"north", b"south", b"a-password-that-is-wrong"):
        assert secret not in raw


@pytest.mark.parametrize("form", ["text", "json"])
def test_fail2ban_finds_refused_logins_and_nothing_else(lab, run, form):
    relay = run(log={"format": form, "level": "debug", "rate": 0}, session_log={"to": "log"})
    decoy = "x login_refused client=192.0.2.9 port=1 transport=udp reason=wrong_password"
    with Client(lab) as client:
        client.allocate()
        address = client.address[0]
        refused(lab, "alice")
        refused(lab, "nobody")
        refused(lab, decoy)
        refused(lab, "2:alice")  # a time that is over, and no secret's
        need(client.refresh(0))
    wait_for(lambda: "session_ended" in relay.log())
    # The right password of a name whose time is over.
    with Client(lab, username="1:old", password=rest_password("1:old", "north")) as client:
        client.discover()
        assert client.request(client.allocate_request()).error == 401
    wait_for(lambda: "expired" in relay.log())
    expected = [line for line in relay.log().splitlines() if "login_refused" in line and "expired" not in line]
    assert len(expected) >= 4
    found = subprocess.run(
        ["fail2ban-regex", "--print-all-matched", "--print-all-missed", relay.log_path, FILTER],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f" {len(expected)} matched, " in found, found
    matched = found.partition("|- Matched line(s):\n")[2].partition("\n`-")[0].splitlines()
    assert [line.removeprefix("|  ") for line in matched] == expected
    banned = subprocess.run(
        ["fail2ban-regex", "-o", "ip", relay.log_path, FILTER], check=True, capture_output=True, text=True
    ).stdout.split()
    assert banned == [address] * len(expected)


def rest_password(username, secret):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


def test_lines_beyond_the_rate_are_counted_and_said(lab, run):
    relay = run(log={"format": "json", "rate": 3})
    with Client(lab, username="nobody") as client:
        client.discover()
        for _ in range(50):
            client.send_bytes(client.sign(client.allocate_request()))
            assert client.receive_bytes() is not None

    def said():
        return len(sessions(relay.log_path, event="login_refused"))

    def left_out():
        lines = sessions(relay.log_path, event="log_suppressed", of="login_refused")
        return sum(line["count"] for line in lines)

    wait_for(lambda: said() + left_out() == 50)
    assert said() < 50


def elsewhere(directory):
    return ("unshare", "--mount", "sh", "-c", JOURNAL_AT, str(directory))


def test_the_journal_gets_fields_to_search_by(lab, run, tmp_path):
    with Daemon(tmp_path, "socket") as journal:
        relay = run(log={"to": "journal"}, session_log={"to": "log"}, under=elsewhere(tmp_path))
        with Client(lab) as client:
            client.allocate()
            refused(lab, "x\nPRIORITY=0")
            need(client.refresh(0))
            relayed = text_of(client.relayed)
        ended = journal_fields(journal.wait_for(b"session_ended"))
        login = journal_fields(journal.wait_for(b"login_refused"))
        for datagram in journal.received():
            fields = journal_fields(datagram)
            assert fields["SYSLOG_IDENTIFIER"] == b"turnpike"
            assert fields["MESSAGE"].startswith(fields["TURNPIKE_EVENT"])
    assert (ended["PRIORITY"], login["PRIORITY"]) == (b"6", b"4")
    assert (ended["TURNPIKE_USER"], ended["TURNPIKE_RELAYED"]) == (b"alice", relayed.encode())
    assert login["TURNPIKE_USER"] == b"x\nPRIORITY=0"
    assert login["MESSAGE"].endswith(b'user="x\\nPRIORITY=0"')
    assert relay.log() == ""


def test_syslog_gets_datagrams_as_from_the_c_library(lab, run, tmp_path):
    with dev_log(), Daemon(tmp_path, "dev-log") as syslog:
        relay = run(log={"to": "syslog"}, under=elsewhere(tmp_path))
        refused(lab, "nobody")
        line = syslog.wait_for(b"login_refused").decode()
        started = syslog.wait_for(b" started ").decode()
    form = r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d turnpike\[(\d+)\]: (\w+) (.*)"
    assert re.fullmatch(form, line).group(1, 3) == (str(3 * 8 + 4), "login_refused")
    assert re.fullmatch(form, started).group(1, 3) == (str(3 * 8 + 6), "started")
    assert relay.log() == ""


def test_a_file_that_was_rotated_is_made_anew(lab, run):
    relay = run()

    def one_session():
        with Client(lab) as client:
            client.allocate()
            need(client.refresh(0))

    one_session()
    wait_for(lambda: sessions(relay.sessions))
    rotated = relay.sessions.with_suffix(".1")
    relay.sessions.rename(rotated)
    one_session()
    wait_for(lambda: len(sessions(rotated)) == 2)
    assert relay.reload()
    wait_for(relay.sessions.exists)
    one_session()
    wait_for(lambda: sessions(relay.sessions))
    assert (len(sessions(rotated)), len(sessions(relay.sessions))) == (2, 1)


def test_levels_change_with_a_reload(lab, run):
    relay = run(log={"level": "warning", "relay": "info"}, session_log={"to": "none"})

    def one_session():
        with Client(lab) as client:
            client.allocate()
            need(client.refresh(0))

    one_session()
    relay.settings["log"] = {"level": "warning", "relay": "info", "sessions": "debug"}
    relay.config.write_text(render_config(relay.settings))
    assert relay.reload()
    one_session()
    wait_for(lambda: " session_ended " in relay.log())
    assert (relay.log().count(" session_started "), relay.log().count(" session_ended ")) == (1, 1)


def test_readers_that_are_stuck_harm_nobody(lab, run, client_of, tmp_path):
    log, session_log = tmp_path / "log.pipe", tmp_path / "sessions.pipe"
    to_pipe = ("sh", "-c", f'exec "$@" 2>{log}', "sh")
    with unread_pipe(log) as fill_log, unread_pipe(session_log) as fill_sessions:
        settings = {"session_log": {"to": "file", "file": str(session_log)}, "log": {"level": "debug", "rate": 0}}
        relay = run(under=to_pipe, **settings)
        fill_log()
        fill_sessions()
        with lossless(relay, Media(lab, client_of)), Client(lab, username="x" * 500) as mallory:
            mallory.discover()
            signed = mallory.sign(mallory.allocate_request())
            for _ in range(8000):
                mallory.send_bytes(signed)
            for _ in range(200):
                with Client(lab) as client:
                    client.allocate()
                    need(client.refresh(0))
        assert samples(monitor.ask(lab, "/metrics")[1])["turnpike_log_lost_lines_total"] > 0
        began = time.monotonic()
        assert relay.stop() == 0
        assert time.monotonic() - began < 6
