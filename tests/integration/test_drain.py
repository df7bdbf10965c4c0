# SPDX-License-Identifier: BSD-3-Clause
"""The relay drains (SIGUSR1): new clients are sent elsewhere (RFC 8489 section 10), live calls go on, and it ends with
the last of them or at a deadline; and SIGUSR2 undoes that."""

import contextlib
import os
import re
import signal
import socket
import time

import pytest

import ctl
import stun
from client import Client, Refused, need
from lab import PEER4, PEER6
from media import Media, lossless
from monitor import ask, samples
from relay import PORT, TLS_PORT, Relay, render_config
from streams import DtlsClient, StreamClient
from uclient import MESSAGES, all_came_back, uclient

ALTERNATE_SERVER = 0x8023
ALTERNATE_DOMAIN = 0x8003
DOMAIN = "other.example.org"
# Of the alternates one has a port of its own.
ELSEWHERE = [{"address": PEER4}, {"address": PEER6, "port": 3479}]


@pytest.fixture
def run(lab, tmp_path):
    """run(**settings) starts a relay; it is to end with 0, however it ends."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Relay(lab, tmp_path, **settings))


def drain(relay, lab):
    """And until it is known to who asks, which is at once."""
    relay.process.send_signal(signal.SIGUSR1)
    wait_for_readiness(lab, 503)


def undrain(relay, lab):
    relay.process.send_signal(signal.SIGUSR2)
    wait_for_readiness(lab, 200)


def wait_for_readiness(lab, wanted):
    deadline = time.monotonic() + 1
    while (answer := ask(lab, "/readyz"))[0] != wanted:
        assert time.monotonic() < deadline, answer


def ends_within(relay, limit_s):
    """The exit code."""
    return relay.process.wait(limit_s)


def alternates(response):
    return [stun.decode_address(value) for value in response.all(ALTERNATE_SERVER)]


def newcomers(lab, authority):
    """Makers of clients over every transport, with the family and the port that they come to."""
    context = authority.context()
    return {
        "udp": (lambda: Client(lab), 4, PORT),
        "udp6": (lambda: Client(lab, 6), 6, PORT),
        "sha256": (lambda: Client(lab, algorithm=stun.SHA256), 4, PORT),
        "tcp": (lambda: StreamClient(lab), 4, PORT),
        "tcp6": (lambda: StreamClient(lab, 6), 6, PORT),
        "tls": (lambda: StreamClient(lab, context=context), 4, TLS_PORT),
        "dtls": (lambda: DtlsClient(lab, authority), 4, TLS_PORT),
    }


def test_new_clients_are_sent_elsewhere_and_live_ones_served(lab, run, authority):
    relay = run(drain_to=ELSEWHERE, drain_domain=DOMAIN, certificates=[authority.issue("server")])
    makers = newcomers(lab, authority)
    with contextlib.ExitStack() as stack:
        live = {name: stack.enter_context(make()) for name, (make, _, _) in makers.items()}
        for client in live.values():
            client.allocate()
        drain(relay, lab)
        for name, (make, family, port) in makers.items():
            with make() as client:
                refused = client.request(client.allocate_request())  # which checks the integrity
                assert refused.error == 300, name
                there = {4: (PEER4, port), 6: (PEER6, 3479)}
                assert alternates(refused) == [there[family], there[10 - family]], name
                told = refused.get(ALTERNATE_DOMAIN)
                assert told == (DOMAIN.encode() if name in ("tls", "dtls") else None), name
                # And STUN is served as ever.
                assert client.transact(stun.Message(stun.BINDING).encode()).is_success, name
        with Client(lab, password="looking-glass") as stranger:
            assert stranger.request(stranger.allocate_request()).error == 401
        with Client(lab) as wrong:
            assert wrong.request(wrong.allocate_request(transport=1)).error == 442
        with lab.udp("peer", PEER4) as peer:
            for number, client in enumerate(live.values()):
                need(client.refresh())
                client.permit(PEER4)
                client.bind(0x4000 + number, peer.getsockname())
                client.send_channel(0x4000 + number, b"to the peer")
                assert peer.recvfrom(2048) == (b"to the peer", client.relayed)
                peer.sendto(b"back", client.relayed)
                assert client.receive()[2] == b"back"
                assert client.request(client.allocate_request()).error == 437
        undrain(relay, lab)
        with Client(lab) as client:
            client.allocate()
            client.refresh(0)
        for client in live.values():
            client.refresh(0)
    assert relay.is_running


def test_without_an_alternate_of_their_family_new_clients_get_508(lab, run):
    relay = run(drain_to=[{"address": PEER6}])
    with Client(lab) as live, Client(lab) as v4, Client(lab, 6) as v6:
        live.allocate()
        drain(relay, lab)
        assert v4.request(v4.allocate_request()).error == 508
        assert v6.request(v6.allocate_request()).error == 300
        live.refresh(0)
    assert ends_within(relay, 5) == 0


def test_an_answered_allocate_is_answered_again(lab, run):
    relay = run(drain_to=ELSEWHERE)
    with Client(lab) as client:
        client.discover()
        request = client.sign(client.allocate_request())
        first = need(client.transact(request))
        drain(relay, lab)
        again = need(client.transact(request))
        assert again.xor_address(stun.XOR_RELAYED_ADDRESS) == first.xor_address(stun.XOR_RELAYED_ADDRESS)
        client.refresh(0)
    assert ends_within(relay, 5) == 0


def test_a_reserved_port_is_still_given_to_its_call(lab, run):
    relay = run(drain_to=ELSEWHERE)
    with Client(lab) as rtp, Client(lab) as rtcp:
        token = rtp.allocate((stun.EVEN_PORT, b"\x80")).get(stun.RESERVATION_TOKEN)
        drain(relay, lab)
        rtcp.allocate((stun.RESERVATION_TOKEN, token))
        assert rtcp.relayed[1] == rtp.relayed[1] + 1
        rtp.refresh(0)
        assert relay.is_running
        rtcp.refresh(0)
    assert ends_within(relay, 5) == 0


class Flow(Media):
    INTERVAL_S = 0.002


def test_nothing_is_lost_and_it_ends_with_the_last_allocation(lab, run, authority, record_figures):
    relay = run(drain_to=ELSEWHERE, tcp_relay=True, certificates=[authority.issue("server")])
    context = authority.context()
    flows = [
        Flow(lab, lambda family: Client(lab, family)),
        Flow(lab, lambda family: Client(lab, family), family=6),
        Flow(lab, lambda family: StreamClient(lab, family)),
        Flow(lab, lambda family: StreamClient(lab, family, context=context)),
        Flow(lab, lambda family: DtlsClient(lab, authority, family)),
    ]
    with Pump(lab) as pump:
        with contextlib.ExitStack() as stack:
            for flow in flows:
                stack.enter_context(flow)
            time.sleep(0.5)
            drain(relay, lab)
            began = time.monotonic()
            while time.monotonic() < began + 6:
                with Client(lab) as newcomer, pytest.raises(Refused) as refused:
                    newcomer.allocate()
                assert refused.value.error == 300
                pump.connect_again()
                pump.carry()
                time.sleep(0.2)
        assert [flow.lost for flow in flows] == [0] * len(flows)
        for flow in flows:
            flow.client.refresh(0)
            flow.client.close()
        time.sleep(0.5)
        assert relay.is_running  # for the TCP allocation
        pump.control.refresh(0)
        ended = time.monotonic()
        assert ends_within(relay, 5) == 0
    packets = sum(flow.sent for flow in flows)
    record_figures(packets=packets, bytes_over_tcp=pump.carried, ended_after_s=round(time.monotonic() - ended, 2))
    assert relay.in_use()["allocations"] == 0
    assert " drained " in relay.log()


class Pump:
    """A TCP allocation, whose connections carry all that goes in."""

    PIECE = os.urandom(20000)

    def __init__(self, lab):
        self.lab, self.carried = lab, 0
        self.control = StreamClient(lab)
        self.control.allocate(transport=stun.TCP)
        self.first, self.newest = self.connect(), None

    def connect(self):
        with self.lab.inside("peer"), socket.create_server((PEER4, 0)) as listener:
            message = stun.Message(stun.CONNECT).add_xor_address(stun.XOR_PEER_ADDRESS, listener.getsockname())
            connection = need(self.control.request(message)).get(stun.CONNECTION_ID)
            peer, _ = listener.accept()
        data = StreamClient(self.lab)
        need(data.request(stun.Message(stun.CONNECTION_BIND).add(stun.CONNECTION_ID, connection)))
        for sock in (data.sock, peer):
            sock.settimeout(5)
        return data.sock, peer

    def connect_again(self):
        self.close(self.newest)
        self.newest = self.connect()

    def carry(self):
        """Both ways, in the first connection and in the newest."""
        for source, target in (self.first, self.first[::-1], self.newest, self.newest[::-1]):
            source.sendall(self.PIECE)
            received = b""
            while len(received) < len(self.PIECE):
                received += target.recv(65536)
            assert received == self.PIECE
            self.carried += len(received)

    def close(self, pair):
        for sock in pair or ():
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close(self.first)
        self.close(self.newest)
        self.control.close()


def test_at_the_deadline_it_ends_what_is_left_in_order(lab, run, authority):
    settings = {"drain_deadline": 3, "certificates": [authority.issue("server")], "tcp_relay": True}
    relay = run(drain_to=ELSEWHERE, log={"level": "debug", "rate": 0}, **settings)
    context = authority.context()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(lab)) for _ in range(80)]
        clients += [stack.enter_context(StreamClient(lab, context=context)) for _ in range(3)]
        for client in clients:
            client.allocate()
        tcp = stack.enter_context(StreamClient(lab))
        tcp.allocate(transport=stun.TCP)
        drain(relay, lab)
        began = time.monotonic()
        found = samples(ask(lab, "/metrics")[1])
        assert found["turnpike_draining"] == 1
        assert abs(found["turnpike_drain_deadline_timestamp_seconds"] - (time.time() + 3)) < 1.5
        assert "84 allocations are left, for " in ask(lab, "/readyz")[1]
        assert ends_within(relay, 10) == 0
        assert 2.5 < time.monotonic() - began < 5
    log = relay.log()
    assert "84 allocations are left at the deadline" in log
    assert log.count(" session_ended ") >= 83
    assert relay.in_use()["allocations"] == 0


def test_it_ends_at_once_when_there_is_no_allocation(run):
    relay = run()
    relay.process.send_signal(signal.SIGUSR1)
    assert ends_within(relay, 3) == 0


def test_a_second_drain_takes_the_place_of_the_first(lab, run):
    relay = run(drain_to=ELSEWHERE, drain_deadline=4)
    with Client(lab) as live, Client(lab) as newcomer:
        live.allocate()
        drain(relay, lab)
        began = time.monotonic()
        relay.config.write_text(render_config({**relay.settings, "drain_to": [], "drain_deadline": 0}))
        assert relay.reload()
        # Nothing has changed for the one that has begun.
        assert newcomer.request(newcomer.allocate_request()).error == 300
        drain(relay, lab)
        while newcomer.request(newcomer.allocate_request()).error != 508:
            assert time.monotonic() < began + 2
        time.sleep(began + 5 - time.monotonic())
        need(live.refresh())
        assert samples(ask(lab, "/metrics")[1])["turnpike_drain_deadline_timestamp_seconds"] == 0
        live.refresh(0)
    assert ends_within(relay, 5) == 0


def test_drains_and_reloads_do_not_hinder_each_other(lab, run):
    relay = run(drain_to=ELSEWHERE)
    with lossless(relay, Flow(lab, lambda family: Client(lab, family))):
        began = time.monotonic()
        while time.monotonic() < began + 4:
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2):
                relay.process.send_signal(number)
                time.sleep(0.003)
        wait_for_signals(relay, lab)
        wait_for_readiness(lab, 200)
        drain(relay, lab)
        relay.process.send_signal(signal.SIGHUP)
        with Client(lab) as newcomer:
            assert newcomer.request(newcomer.allocate_request()).error == 300
            undrain(relay, lab)
            newcomer.allocate()
            newcomer.refresh(0)
    assert " reloaded " in relay.log()


def is_in(relay, signals, number):
    """Whether one of the sets of signals that the kernel tells of a process (/proc/PID/status) has it."""
    with open(f"/proc/{relay.process.pid}/status") as status:
        found = next(int(line.split()[1], 16) for line in status if line.startswith(f"{signals}:"))
    return found >> (number - 1) & 1


def wait_for_signals(relay, lab):
    """Until all that were sent have been acted on. Those that wait together have no order in time."""
    deadline = time.monotonic() + 10
    while any(is_in(relay, "ShdPnd", number) for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ask(lab, "/readyz")  # by the thread that acts on them, and later


def test_a_signal_that_comes_during_the_start_counts_then(lab, tmp_path):
    relay = Relay(lab, tmp_path, drain_to=ELSEWHERE)
    with contextlib.ExitStack() as stack:
        stack.push(relay.__exit__)
        relay.launch()
        deadline = time.monotonic() + 10
        while not is_in(relay, "SigBlk", signal.SIGUSR1):
            assert relay.is_running and time.monotonic() < deadline, relay.log_tail()
            time.sleep(0.001)
        relay.process.send_signal(signal.SIGUSR1)
        assert ends_within(relay, 30) == 0
    assert " drained " in relay.log()


def test_the_service_manager_is_told(lab, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(15)

        def until(text):
            deadline = time.monotonic() + 15
            while text not in (said := manager.recv(4096).decode()):
                assert time.monotonic() < deadline, said

        relay = Relay(lab, tmp_path, drain_to=ELSEWHERE)
        with contextlib.ExitStack() as stack:
            stack.push(relay.__exit__)
            relay.launch(manager=path)
            until("READY=1")
            with Client(lab) as live:
                live.allocate()
                drain(relay, lab)
                until("STATUS=draining: 1 allocation is left")
                live.refresh(0)
            until("STOPPING=1")
            assert ends_within(relay, 5) == 0


def test_operators_do_the_same_by_turnpike_ctl(lab, run):
    relay = run(drain_to=ELSEWHERE)
    with Client(lab) as live, Client(lab) as newcomer, Client(lab, 6) as newcomer6:
        live.allocate()
        ctl.say(relay.control_path, "drain", "--deadline", "10m", "--to", f"{PEER4}:3500")
        assert re.match(r"draining: 1 allocation is left, for (600|599) s at most\n", ask(lab, "/readyz")[1])
        refused = newcomer.request(newcomer.allocate_request())
        assert (refused.error, alternates(refused)) == (300, [(PEER4, 3500)])
        assert newcomer6.request(newcomer6.allocate_request()).error == 508
        ctl.say(relay.control_path, "undrain")
        assert ask(lab, "/readyz")[0] == 200
        again = ctl.run(relay.control_path, "undrain")
        assert again.returncode == ctl.REFUSED and "does not drain" in again.stderr
        ctl.say(relay.control_path, "drain")
        assert alternates(newcomer.request(newcomer.allocate_request())) == [(PEER4, PORT), (PEER6, 3479)]
        live.refresh(0)
    assert ends_within(relay, 5) == 0


@pytest.fixture
def other_server(lab, tmp_path):
    """coturn's server, at an address of the peer's host."""
    options = ["-n", "-L", PEER4, "-p", PORT, "--lt-cred-mech", "-u", "alice:wonderland", "-r", "turnpike.test"]
    options += ["--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--log-file", "stdout"]
    options += ["--pidfile", tmp_path / "coturn.pid", "--userdb", tmp_path / "coturn.db"]
    with open(tmp_path / "coturn.log", "wb") as log:
        process = lab.popen("peer", "turnserver", *options, stdout=log, stderr=log)
    time.sleep(1)
    yield process
    process.terminate()
    process.wait()


@pytest.mark.parametrize("transport", [[], ["-t"]], ids=["udp", "tcp"])
def test_uclient_goes_where_it_is_sent(lab, run, other_server, transport):
    relay = run(drain_to=[{"address": PEER4}])
    with Client(lab) as live:
        live.allocate()
        drain(relay, lab)
        all_came_back(uclient(lab, *MESSAGES, *transport, "-c", "-y"), at_least=200)
        found = samples(ask(lab, "/metrics")[1])
        assert found['turnpike_request_errors_total{method="allocate",code="300"}'] >= 1
        assert sum(value for name, value in found.items() if name.startswith("turnpike_allocations_total")) == 1
        live.refresh(0)
    assert ends_within(relay, 5) == 0
