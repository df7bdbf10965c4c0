# SPDX-License-Identifier: BSD-3-Clause
"""Where a device takes rules, what is for a relay port comes to the worker that owns it; elsewhere workers hand it on. The
device that takes them is a card of software (tests/card) before a veth, of which the relay knows nothing. With one that
leaves to the kernel what no rule takes, there is no twin."""

import contextlib
import json
import re
import time

import pytest

import telemetry
from client import Client
from fixtures import own_lab
from flow import Flow, icmp_error, icmp_indication
from lab import PEER, PEER4, RELAY, Lab
from pings import answers
from relay import BINARY, DEFAULTS, SANITIZED, Relay, render_config
from streams import StreamClient
from test_device import uses
from test_fragments import Pieces, assert_arrives, pattern
from test_path_mtu import HEADERS, NARROW, TOO_BIG, heeded_of_clients, inject_whole, narrow_path

CARD = BINARY.parent / "tests" / "card" / "card.so"
WORKERS, CLIENTS = 2, 8
FOREIGN = "peer datagrams that came to another worker than their relay port's"

# What such a card keeps from the kernel.
TAKEN = """
table netdev taken {
    chain ingress {
        type filter hook ingress device "relay0" priority 0; policy accept;
        udp dport { 3478, 49152-65535 } drop
        frag nexthdr udp drop
        icmp type { destination-unreachable, time-exceeded } drop
        icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } drop
    }
}
"""

lab = own_lab(mode="owned", queues=WORKERS)


def with_card(directory, *words, keeps=False):
    """A command before the relay's: words say what the card cannot do. keeps: its rules, when the relay is killed."""
    options = ["ASAN_OPTIONS=verify_asan_link_order=0"] * SANITIZED + [f"CARD_RULES={directory}/rules"] * keeps
    return ["env", f"LD_PRELOAD={CARD}", f"CARD={' '.join(words)}", f"CARD_LOG={directory}/card", *options]


def rules_of(directory, *which):
    """That the card had, and has still."""
    said = dict(re.findall(r"(\w+) (\d+)", (directory / "card").read_text()))
    return tuple(int(said[name]) for name in which or ("made", "left"))


@contextlib.contextmanager
def calls(lab, family, count=CLIENTS):
    """Clients with a channel each to a peer of theirs."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            client = stack.enter_context(Client(lab, family))
            client.allocate(family=family)
            peer = stack.enter_context(lab.udp("peer", PEER[family]))
            client.bind(0x4000, peer.getsockname()[:2])
            made.append((client, peer))
        yield made
        for client, _ in made:
            client.refresh(0)


def talk(made, rounds):
    for number in range(rounds):
        for client, peer in made:
            data = b"%d" % number
            client.send_channel(0x4000, data)
            assert peer.recv(2048) == data
            peer.sendto(data, client.relayed)
            assert client.receive() == (0x4000, None, data)


def test_a_driver_without_rules_is_said_to_have_none(lab, tmp_path):
    with Relay(lab, tmp_path, workers=WORKERS) as relay:
        said = uses(relay)["steering"]
        assert said["used"] == "hand-off"
        assert re.match(r'"no rules: .+; what is others\' goes by ring"', said["why"]), said
        with calls(lab, 4) as made:
            talk(made, 3)
        assert relay.stop() == 0
        assert relay.summary()[FOREIGN] > 0


def test_a_driver_of_dpdks_own_that_knows_no_masks_refuses_in_its_words(lab, tmp_path):
    relay = Relay(lab, tmp_path, workers=WORKERS, device="net_tap0,iface=dtap0")
    relay.launch()
    relay.wait_for_event("started")
    said = uses(relay)["steering"]
    assert (said["used"], "item not supported" in said["why"]) == ("hand-off", True)
    assert relay.stop() == 0


@pytest.mark.parametrize("family", [4, 6])
def test_what_peers_send_comes_to_the_worker_that_owns_the_port(lab, tmp_path, family):
    with Relay(lab, tmp_path, workers=WORKERS, under=with_card(tmp_path)) as relay:
        assert uses(relay)["steering"]["used"] == '"rte_flow, 4 rules"'  # of two workers, at two addresses
        with calls(lab, family) as made:
            talk(made, 5)
        assert relay.stop() == 0
        counts = relay.summary()
    assert counts["peer datagrams relayed as ChannelData"] == 5 * CLIENTS
    assert FOREIGN not in counts
    assert rules_of(tmp_path) == (4, 0)


def test_a_card_that_refuses_masks_has_no_rules_and_workers_hand_on(lab, tmp_path):
    with Relay(lab, tmp_path, workers=WORKERS, under=with_card(tmp_path, "no_masks")) as relay:
        said = uses(relay)["steering"]
        assert (said["used"], "the card cannot do that" in said["why"]) == ("hand-off", True)
        with calls(lab, 4) as made:
            talk(made, 3)
        assert relay.stop() == 0
    assert rules_of(tmp_path) == (0, 0)


def test_a_card_that_ignores_its_rules_is_found_out_and_nothing_is_lost(lab, tmp_path):
    with Relay(lab, tmp_path, workers=WORKERS, under=with_card(tmp_path, "ignores")) as relay:
        assert uses(relay)["steering"]["used"] == '"rte_flow, 4 rules"'
        with calls(lab, 4, count=16) as made:
            talk(made, 1)
            deadline = time.monotonic() + 60
            while "steering_ignored" not in relay.log() and time.monotonic() < deadline:
                for client, peer in made * 10:
                    peer.sendto(b"one of many", client.relayed)
                time.sleep(0.05)
        assert relay.log().count("steering_ignored") == 1
        now = telemetry.ask(relay, "/turnpike/ports")["uses"]["steering"]
        assert now["used"] == "hand-off" and "does otherwise" in now["why"]


@pytest.mark.parametrize("beside_the_kernel", [False, True], ids=["owned", "isolated"])
def test_rules_of_one_that_was_killed_make_way_for_those_of_the_next(lab, kept_lab, tmp_path, beside_the_kernel):
    where, settings = (kept_lab, isolated()) if beside_the_kernel else (lab, {"workers": WORKERS})
    relay = Relay(where, tmp_path, under=with_card(tmp_path, keeps=True), **settings)
    relay.start()
    made = int(re.fullmatch(r'"rte_flow, (\d+) rules"', uses(relay)["steering"]["used"])[1])
    relay.kill()
    relay.start()
    assert uses(relay)["steering"]["used"] == f'"rte_flow, {made} rules"'
    with calls(where, 4) as some:
        talk(some, 3)
    assert relay.stop() == 0
    assert FOREIGN not in relay.summary()
    assert rules_of(tmp_path, "found", "made", "left") == (made, made, 0)


# Cards differ in whether a rule with ports matches the first piece of a datagram.
@pytest.mark.parametrize("words", [[], ["sees_first_fragments"]], ids=["misses_first_pieces", "sees_first_pieces"])
def test_pieces_come_together_wherever_a_card_delivers_them(lab, tmp_path, words):
    with Relay(lab, tmp_path, workers=WORKERS, under=with_card(tmp_path, *words)), contextlib.ExitStack() as stack:
        clients = lambda family: stack.enter_context(Client(lab, family))  # noqa: E731
        for number in range(8):
            flow = Flow(stack, lab, clients, 6, 6)
            for sender in ("client", "peer"):
                data = pattern(900, number)
                flow.inject(sender, *Pieces(flow, sender, data).cut(304))
                assert_arrives(flow, sender, data)


# Beside the kernel


@contextlib.contextmanager
def lab_beside():
    """The kernel has its interface, but for what a card takes from it."""
    with Lab(mode="shared", queues=WORKERS) as the_lab:
        the_lab.run("relay", "nft", "-f", "-", input=TAKEN)
        yield the_lab


@pytest.fixture(scope="module")
def kept_lab():
    with lab_beside() as the_lab:
        yield the_lab


def isolated(workers=WORKERS):
    return {"device": f"net_af_packet0,iface=relay0,qpairs={workers}", "flow_isolation": True, "workers": workers}


@pytest.fixture(scope="module", params=[1, WORKERS], ids=lambda n: f"{n}_workers")
def kept_relay(request, kept_lab, tmp_path_factory):
    directory = tmp_path_factory.mktemp("relay")
    with Relay(kept_lab, directory, under=with_card(directory), **isolated(request.param)) as the_relay:
        yield the_relay
        assert the_relay.stop() == 0
        counts = the_relay.summary()
        # What was in pieces meets where it may.
        assert counts.get(FOREIGN, 0) <= counts["datagrams put together from fragments"]
    made, left = rules_of(directory)
    assert made > 0 and left == 0


def test_it_has_the_kernels_interface_and_no_twin(kept_lab, kept_relay):
    said = uses(kept_relay)
    assert said["mode"]["used"].startswith("\"isolated: the kernel keeps the interface")
    assert said["steering"]["used"].startswith('"rte_flow, ')
    links = json.loads(kept_lab.run("relay", "ip", "-j", "link").stdout)
    assert [link["ifname"] for link in links] == ["lo", "relay0"]


@pytest.mark.parametrize("family", [4, 6])
def test_calls_cross_it(kept_lab, kept_relay, family):
    with calls(kept_lab, family) as made:
        talk(made, 5)


@pytest.mark.parametrize("family", [4, 6])
def test_all_else_is_the_kernels(kept_lab, kept_relay, family):
    assert answers(kept_lab, RELAY[family])
    with kept_lab.udp("relay", RELAY[family], 53) as server, kept_lab.udp("peer", PEER[family]) as client:
        client.sendto(b"a question", (RELAY[family], 53))
        data, source = server.recvfrom(2048)
        server.sendto(data[::-1], source)
        assert client.recv(2048) == b"noitseuq a"


def test_a_call_over_tcp_crosses_it(kept_lab, kept_relay):
    with StreamClient(kept_lab) as client, kept_lab.udp("peer", PEER4) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"there")
        data, source = peer.recvfrom(2048)
        assert data == b"there"
        peer.sendto(b"and back", source)
        assert client.receive() == (0x4000, None, b"and back")
        client.refresh(0)


def test_its_pieces_come_together(kept_lab, kept_relay):
    with contextlib.ExitStack() as stack:
        flow = Flow(stack, kept_lab, lambda family: stack.enter_context(Client(kept_lab, family)), 6, 6)
        for sender in ("client", "peer"):
            data = pattern(900)
            flow.inject(sender, *Pieces(flow, sender, data).cut(304))
            assert_arrives(flow, sender, data)
        flow.client.refresh(0)


@pytest.mark.parametrize("family", [4, 6])
def test_errors_about_what_was_relayed_reach_the_client(kept_lab, kept_relay, family):
    with Client(kept_lab, family) as client:
        client.allocate(family=family)
        with kept_lab.udp("peer", PEER[family]) as peer:
            address = peer.getsockname()[:2]
        client.bind(0x4000, address)
        client.send_channel(0x4000, b"to nobody")
        assert icmp_indication(client) == (address, (3, 3, 0) if family == 4 else (1, 4, 0))
        client.refresh(0)


APART = {4: "192.0.2.7", 6: "2001:db8:2::7"}  # where nobody listens


def test_what_routers_say_of_the_way_to_clients_reaches_it_where_nothing_is_relayed(tmp_path):
    listen, relay = ([{"address": address} for address in some.values()] for some in (RELAY, APART))
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(lab_beside())
        for address in (f"{APART[4]}/24", f"{APART[6]}/64"):
            lab.run("relay", "ip", "address", "add", address, "dev", "relay0", "nodad")
        settings = {**isolated(), "listen": listen, "relay": relay}
        the_relay = stack.enter_context(Relay(lab, tmp_path, under=with_card(tmp_path), **settings))
        for count, family in enumerate((4, 6)):
            flow = Flow(stack, lab, lambda family: stack.enter_context(Client(lab, family)), family, family)
            with narrow_path(lab, "client"):
                inject_whole(flow, 1440, "peer", to=APART)
                assert flow.arrived("client", 0.3) is None
            assert heeded_of_clients(the_relay) == count + 1
            inject_whole(flow, NARROW - 4 + 1, "peer", to=APART)
            assert icmp_error(flow, "peer") == (*TOO_BIG[family], NARROW - 48)
            inject_whole(flow, NARROW - 4, "peer", to=APART)
            assert flow.arrived("client") == bytes(NARROW - 4 - HEADERS[family])
            flow.client.refresh(0)


@pytest.mark.parametrize(
    "words, said",
    [
        (["no_isolation"], "is no device that the kernel keeps beside us: Function not implemented"),
        (["no_masks"], "refuses rules, without which it delivers nothing: the card cannot do that"),
    ],
)
def test_a_device_that_cannot_is_refused(kept_lab, tmp_path, words, said):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**DEFAULTS, **isolated()}))
    result = kept_lab.run("relay", *with_card(tmp_path, *words), BINARY, "-c", config, check=False, timeout=30)
    assert result.returncode == 1, result.stderr
    assert said in result.stderr
    assert rules_of(tmp_path)[1] == 0
