# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: what operators ask and are told, and what whoever may connect to it cannot do to the relay."""

import contextlib
import itertools
import json
import os
import random
import socket
import stat
import threading
import time

import pytest

import telemetry
from lab import CLIENT4, PEER4, PEER4_OTHER, RELAY4
from relay import SANITIZED
from stuck import stopped
from telemetry import ask

# What is asked for within a little less does not count as a look at who has most traffic.
TOP_SPAN_S = 1


def test_the_socket_is_where_the_log_says_and_its_group_may_connect(relay):
    assert f' control_socket path={relay.control_path}\n' in relay.log()
    for path, mode in [(relay.control_path, 0o660), (relay.control_path.parent, 0o750)]:
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == mode
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())


def test_says_how_it_is(relay, client):
    client.allocate()
    status = ask(relay, "/turnpike/status")
    assert status["state"] == "running" and status["allocations"] == 1 and status["users"] == 1
    assert status["pid"] == relay.process.pid and status["uptime_seconds"] < 600
    assert status["workers"] == relay.settings["workers"] and status["workers_stuck"] == 0
    workers = ask(relay, "/turnpike/workers")["workers"]
    assert len(workers) == status["workers"] and sum(worker["allocations"] for worker in workers.values()) == 1
    assert all(isinstance(value, int) for worker in workers.values() for value in worker.values())
    ports = ask(relay, "/turnpike/ports")["ports"]
    assert sum(port["rx_packets"] for port in ports.values()) > 0
    assert all(port["link"] == "up" and port["driver"] for port in ports.values())


def test_says_what_was_dropped_and_why(relay, client):
    before = ask(relay, "/turnpike/drops")["drops"].get("unknown_protocol", 0)
    client.sock.sendto(b"\xff" * 20, client.server)
    client.allocate()  # behind it
    assert ask(relay, "/turnpike/drops")["drops"]["unknown_protocol"] == before + 1


def test_dpdks_own_script_shows_the_same(relay):
    listed, drops, help_text = telemetry.script(relay, "/", "/turnpike/drops", "/help,/turnpike/drops")
    assert {"/turnpike/status", "/turnpike/workers", "/turnpike/ports", "/ethdev/stats"} <= set(listed)
    assert drops == ask(relay, "/turnpike/drops")
    assert "dropped" in help_text["/turnpike/drops"]


def test_says_what_is_wrong_with_a_question(relay):
    assert ask(relay, "/turnpike/status,fast=1") == {"error": "unknown parameter: fast", "allowed": "nothing"}
    assert ask(relay, "/turnpike/nothing") is None
    assert ask(relay, "/turnpike/status," + "x" * 2000)["error"].startswith("the question is too long")


def session_of(relay, client):
    host, port = client.address
    found = ask(relay, f"/turnpike/allocations,client={host}:{port}")["allocations"]
    assert len(found) == 1
    return next(iter(found))


def pages(the_relay, command, **parameters):
    """All that a command lists, page by page: {name: what is said of it}; how many pages there were."""
    listed, after, count = {}, None, 0
    while True:
        told = {**parameters, **({} if after is None else {"after": after})}
        page = ask(the_relay, command + "".join(f",{key}={value}" for key, value in told.items()))
        assert "error" not in page, page
        rows = next(value for value in page.values() if isinstance(value, dict))
        assert not set(rows) & set(listed)
        listed.update(rows)
        after, count = page.get("next"), count + 1
        if after is None:
            return listed, count


def test_lists_hundreds_of_allocations_in_pages(relay, client_of):
    clients = [client_of(username=name, password=word)
               for name, word in [("alice", "wonderland"), ("bob", "builder")] for _ in range(120)]
    for client in clients:
        client.allocate()
    for limit in (1, 7, 100):
        listed, count = pages(relay, "/turnpike/allocations", user="bob", limit=limit)
        assert {row["client"] for row in listed.values()} == {"%s:%d" % client.address for client in clients[120:]}
        assert list(listed) == sorted(listed, key=lambda session: int(session[8:], 16))
        assert count >= 120 // limit
    assert len(pages(relay, "/turnpike/allocations")[0]) == 240
    assert len(ask(relay, "/turnpike/allocations")["allocations"]) == 20
    users, _ = pages(relay, "/turnpike/users", limit=1)
    assert {row["user"]: row["allocations"] for row in users.values()} == {"alice": 120, "bob": 120}


def test_finds_an_allocation_by_what_it_has(lab, relay, client_of):
    one, other = client_of(), client_of(username="bob", password="builder")
    for client in (one, other):
        client.allocate()
    one.permit(PEER4)
    one.bind(0x4000, (PEER4_OTHER, 5000))
    session = session_of(relay, one)

    def found(**parameters):
        return list(pages(relay, "/turnpike/allocations", **parameters)[0])

    assert found(user="alice") == found(relay="%s:%d" % one.relayed) == found(peer=PEER4) == [session]
    assert found(peer=f"{PEER4_OTHER}:5000") == [session]
    assert found(peer=f"{PEER4_OTHER}:5001") == found(user="carol") == found(user="alice", peer="198.51.100.9") == []
    assert len(found(client=CLIENT4)) == len(found(relay=RELAY4)) == 2
    shown = ask(relay, f"/turnpike/allocation,{session}")
    assert shown["session"] == session and shown["user"] == "alice" and shown["realm"] == "turnpike.test"
    assert shown["client"] == "%s:%d" % one.address and shown["relayed"] == "%s:%d" % one.relayed
    assert shown["transport"] == shown["peers"] == "udp" and shown["age_seconds"] < 60
    assert 500 < shown["expires_seconds"] <= 600 and (shown["permissions"], shown["channels"]) == (2, 1)
    permitted = [(peer["peer"], peer.get("channel")) for peer in shown["permitted"].values()]
    assert sorted(permitted, key=str) == sorted(
        [(PEER4, None), (PEER4_OTHER, None), (f"{PEER4_OTHER}:5000", "0x4000")], key=str)


def test_counts_each_packet_as_it_goes(lab, relay, client):
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        address = peer.getsockname()[:2]
        client.bind(0x4000, address)
        for _ in range(3):
            client.send_channel(0x4000, b"x" * 100)
            peer.recv(2048)
        client.send_indication(address, b"y" * 50)
        peer.recv(2048)
        peer.sendto(b"z" * 70, client.relayed)
        assert client.receive() is not None
    shown = ask(relay, f"/turnpike/allocation,{session_of(relay, client)}")
    assert (shown["packets_to_peer"], shown["bytes_to_peer"]) == (4, 350)
    assert (shown["packets_to_client"], shown["bytes_to_client"]) == (1, 70)


def test_knows_who_has_most_traffic(lab, relay, client_of):
    quiet, loud = client_of(), client_of()
    with lab.udp("peer", PEER4) as peer:
        for client in (quiet, loud):
            client.allocate()
            client.bind(0x4000, peer.getsockname()[:2])
        time.sleep(TOP_SPAN_S)
        ask(relay, "/turnpike/top")  # both spans begin here, not when each was allocated
        time.sleep(TOP_SPAN_S)
        for client, count in [(quiet, 2), (loud, 40)]:
            for _ in range(count):
                client.send_channel(0x4000, b"x" * 1000)
                peer.recv(2048)
        top = ask(relay, "/turnpike/top")["allocations"]
        assert list(top) == [session_of(relay, loud), session_of(relay, quiet)]
        rates = [row["bits_per_second"] for row in top.values()]
        assert 19 < rates[0] / rates[1] < 21 and all(row["packets_per_second"] > 0 for row in top.values())
        time.sleep(TOP_SPAN_S)
        loud.send_channel(0x4000, b"x")
        peer.recv(2048)
    assert list(ask(relay, "/turnpike/top,limit=5")["allocations"]) == [session_of(relay, loud)]


def test_kills_one_and_all_of_a_user(relay, client_of):
    alices = [client_of() for _ in range(3)]
    bob = client_of(username="bob", password="builder")
    for client in [*alices, bob]:
        client.allocate()
    session = session_of(relay, alices[0])
    assert ask(relay, f"/turnpike/kill,{session}") == {"killed": 1}
    assert alices[0].refresh(600).error == 437
    assert "no such session" in ask(relay, f"/turnpike/kill,session={session}")["error"]
    assert alices[1].refresh(600).is_success
    assert ask(relay, "/turnpike/kill,user=alice") == {"killed": 2}
    assert [client.refresh(600).error for client in alices[1:]] == [437, 437]
    assert ask(relay, "/turnpike/kill,user=alice") == {"killed": 0}
    assert bob.refresh(600).is_success
    assert f" kill session={session}\n" in relay.log() and " kill user=alice count=2\n" in relay.log()


def test_drains_and_takes_new_clients_again(lab, relay, client_of):
    caller, late = client_of(), client_of()
    caller.allocate()
    said = ask(relay, "/turnpike/drain,deadline=600,to=192.0.2.77")
    assert said["state"] == "draining" and 598 <= said["drain_deadline_seconds"] <= 600
    assert late.request(late.allocate_request()).error == 300
    assert ask(relay, "/turnpike/status")["state"] == "draining"
    assert ask(relay, "/turnpike/undrain")["state"] == "running"
    assert "does not drain" in ask(relay, "/turnpike/undrain")["error"]
    late.allocate()
    assert caller.refresh(600).is_success


def test_changes_how_much_is_logged(relay, client_of):
    assert set(ask(relay, "/turnpike/log")["levels"].values()) == {"info"}
    assert ask(relay, "/turnpike/log,sessions=debug")["levels"]["sessions"] == "debug"
    ask(relay, "/turnpike/log,all=debug")
    assert " debug " not in relay.log()
    client_of().allocate()
    deadline = time.monotonic() + 10
    while " debug " not in relay.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert set(ask(relay, "/turnpike/log,all=info")["levels"].values()) == {"info"}
    assert ask(relay, "/turnpike/log,sessions=loud")["allowed"] == "error, warning, info, debug"


def test_reloads_and_says_what_came_of_it(relay):
    good = relay.config.read_text()
    try:
        relay.config.write_text(good + "user_quota = 4321;\n")
        assert ask(relay, "/turnpike/reload") == {"reload": "done"}
        assert ask(relay, "/turnpike/quotas")["user_allocations_max"] == 4321
        relay.config.write_text(good + "user_quota = many;\n")
        assert "not good" in ask(relay, "/turnpike/reload")["error"]
        assert ask(relay, "/turnpike/quotas")["user_allocations_max"] == 4321
    finally:
        relay.config.write_text(good)
        assert ask(relay, "/turnpike/reload") == {"reload": "done"}


def test_clients_who_connect_and_go_take_no_place(relay):
    """As a second relay does that finds this one's socket in the place of its own."""
    for _ in range(12):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(str(relay.control_path))
    until_answered(relay)


def until_answered(relay, timeout=10):
    """Its places for clients are given back a moment after they go."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ask(relay, "/turnpike/status")
        except (json.JSONDecodeError, OSError):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_clients_who_do_as_they_like_harm_no_media(lab, relay, client, record_figures):
    noise = random.Random(7)
    lines = "".join(f"/turnpike/allocations,user=u{i}\n" for i in range(1_000_000)).encode()
    questions = [b"/turnpike/kill", b"/turnpike/kill,user=", b"/turnpike/status,", b",,,,", b"/", b"\0" * 100,
                 b"/turnpike/allocations,user=%", b"/turnpike/allocation," + b"f" * 900, b"/turnpike/log," + b"x=1," * 200,
                 b"/ethdev/stats,99", b"/help,/turnpike/status", b"/turnpike/top,limit=99999999999999999999"]
    stop = threading.Event()
    asked = itertools.count()

    def garble():
        while not stop.is_set():
            try:
                with telemetry.client(relay) as sock:
                    for _ in range(200):
                        sock.send(noise.choice(questions) if noise.random() < 0.7 else noise.randbytes(noise.randint(1, 3000)))
                        sock.recv(65536)
                        next(asked)
                        if stop.is_set():
                            break
            except (OSError, ValueError):
                time.sleep(0.01)

    def flood():
        """Asks and does not read."""
        while not stop.is_set():
            try:
                with telemetry.client(relay, timeout=0.2) as sock:
                    for start in range(0, len(lines), 100_000):
                        sock.send(lines[start : start + 100_000])
            except (OSError, ValueError):
                time.sleep(0.01)

    client.allocate()
    memory = relay.resident_kb()
    threads = [threading.Thread(target=target) for target in [garble] * 3 + [flood] * 3]
    with lab.udp("peer", PEER4) as peer:
        client.bind(0x4000, peer.getsockname()[:2])
        for thread in threads:
            thread.start()
        sent = received = 0
        end = time.monotonic() + 6
        try:
            while time.monotonic() < end:
                for _ in range(20):
                    client.send_channel(0x4000, sent.to_bytes(4, "big") + b"x" * 160)
                    sent += 1
                peer.settimeout(2)
                for _ in range(20):
                    assert peer.recv(2048)[:4] == received.to_bytes(4, "big")
                    received += 1
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert sent == received
    assert client.refresh(600).is_success
    assert until_answered(relay)["allocations"] == 1
    if not SANITIZED:
        assert relay.resident_kb() - memory < 64 << 10
    record_figures(datagrams=sent, questions=next(asked), grown_kb=relay.resident_kb() - memory)


def test_who_holds_all_places_is_the_only_one_to_suffer(lab, relay, client):
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(telemetry.client(relay))
        with pytest.raises((json.JSONDecodeError, OSError)):
            ask(relay, "/turnpike/status")
        client.allocate()
    assert until_answered(relay)["allocations"] == 1


def test_a_control_thread_that_stands_still_is_said_to(relay):
    with stopped(relay.process.pid), telemetry.client(relay) as sock:
        started = time.monotonic()
        assert "did not answer" in telemetry.say(sock, "/turnpike/status")["error"]
        assert 0.9 < time.monotonic() - started < 5
    assert ask(relay, "/turnpike/status")["state"] == "running"
