# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: what operators ask and are told, and what whoever may connect to it cannot do to the relay."""

import os
import stat

import telemetry
from lab import CLIENT4, PEER4, PEER4_OTHER, RELAY4
from telemetry import ask


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
        ask(relay, "/turnpike/top")
        for client, count in [(quiet, 2), (loud, 40)]:
            for _ in range(count):
                client.send_channel(0x4000, b"x" * 1000)
                peer.recv(2048)
        top = ask(relay, "/turnpike/top")["allocations"]
        assert list(top) == [session_of(relay, loud), session_of(relay, quiet)]
        rates = [row["bits_per_second"] for row in top.values()]
        assert 19 < rates[0] / rates[1] < 21 and all(row["packets_per_second"] > 0 for row in top.values())
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
