# SPDX-License-Identifier: BSD-3-Clause
"""What users and all of them may have at once: allocations (RFC 8656 section 7.2) and bandwidth, whichever workers have them."""

import base64
import contextlib
import hashlib
import hmac
import time

import pytest

from client import Client
from fixtures import own_lab
from lab import PEER4
from monitor import ask, samples
from relay import Relay, render_config
from streams import StreamClient

# Of two workers the first has the ports below 49216, the second those from there.
SPLIT = 49216
PORTS = {"min_port": SPLIT - 8, "max_port": SPLIT + 7}
# What comes at once, whatever the limit of a second, and what a packet of this length is charged.
BURST, LEN = 131072, 996
CHARGE = LEN + 4
# A channel and its allocation may keep a piece each.
PIECE = BURST // 32

lab = own_lab(queues=2)


@pytest.fixture
def relay_with(lab, tmp_path):
    """relay_with(setting=value, ...) starts it, for this test."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Relay(lab, tmp_path, workers=2, **settings))


@pytest.fixture
def client_of(lab):
    with contextlib.ExitStack() as stack:
        yield lambda kind=Client, **options: stack.enter_context(kind(lab, **options))


def rest(userid, later=3600, secret="north"):
    """A name and password of the TURN REST API."""
    username = f"{int(time.time()) + later}:{userid}"
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {"username": username, "password": base64.b64encode(mac).decode()}


def error_of(client):
    response = client.request(client.allocate_request())
    return 0 if response.is_success else response.error


def reload(relay, **settings):
    relay.settings.update(settings)
    relay.config.write_text(render_config(relay.settings))
    assert relay.reload()


def metric(lab, name):
    return samples(ask(lab, "/metrics")[1]).get(name, 0)


def refusals(lab, quota):
    return metric(lab, f'turnpike_quota_refusals_total{{quota="{quota}"}}')


def dropped(lab, reason):
    page = samples(ask(lab, "/metrics")[1])
    return sum(value for name, value in page.items() if "dropped" in name and f'reason="{reason}"' in name)


class Flows:
    """Clients with a channel to one peer each, and what becomes of what they send, and are sent."""

    def __init__(self, lab, clients):
        self.clients = clients
        self.peers = [lab.udp("peer", PEER4) for _ in clients]
        for client, peer in zip(clients, self.peers):
            if client.relayed is None:
                client.allocate()
            client.bind(0x4000, peer.getsockname()[:2])
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.close()

    def to_peers(self, count, clients=None):
        """How many packets arrive, of each."""
        clients = range(len(self.clients)) if clients is None else clients
        arrived = {i: 0 for i in clients}
        for _ in range(count):
            for i in clients:
                self.clients[i].send_channel(0x4000, bytes(LEN))
                arrived[i] += self._drain(i, 0)
        for i in clients:
            arrived[i] += self._drain(i, 0.5)
        return [arrived[i] for i in clients]

    def one_by_one(self, count):
        """Each gets all of that through, alone: who comes late to a flood may find nothing left."""
        arrived = [self.to_peers(count, [i])[0] for i in range(len(self.clients))]
        assert arrived == [count] * len(self.clients)
        return arrived

    def _drain(self, i, timeout):
        count = 0
        self.peers[i].settimeout(timeout)
        with contextlib.suppress(OSError):
            while True:
                self.peers[i].recv(2000)
                count += 1
        return count

    def to_clients(self, count):
        arrived = [0] * len(self.clients)
        for _ in range(count):
            for i, client in enumerate(self.clients):
                self.peers[i].sendto(bytes(LEN), client.relayed)
                arrived[i] += client.receive(0.005) is not None
        for i, client in enumerate(self.clients):
            while client.receive(0.3) is not None:
                arrived[i] += 1
        return arrived

    def may_be(self, bps, keepers):
        """As many packets as have passed, of what there was at first and has come since."""
        came = (time.monotonic() - self.started) * bps
        return (BURST - 2 * PIECE * keepers) // CHARGE, int(BURST + came) // CHARGE + 1


def on_both_workers(made):
    """Two allocated clients of made(), one of each worker; who was in the way stays allocated."""
    found = {}
    for _ in range(12):
        client = made()
        client.allocate()
        found.setdefault(client.relayed[1] >= SPLIT, client)
        if len(found) == 2:
            return [found[False], found[True]]
    raise AssertionError("all clients landed on one worker")


def test_all_of_the_total_quota_is_486_until_somebody_goes(lab, relay_with, client_of):
    relay = relay_with(total_quota=2)
    first, second, third = client_of(), client_of(username="bob", password="builder"), client_of()
    first.allocate()
    assert ask(lab, "/readyz")[0] == 200
    second.allocate()
    assert ask(lab, "/readyz")[0] == 503
    for _ in range(20):
        assert error_of(third) == 486
    assert refusals(lab, "total") == 20
    # Who is there is served on, and the log is not flooded.
    first.refresh(600)
    assert 1 <= relay.log().count("quota_reached") <= 3
    second.refresh(0)
    deadline = time.monotonic() + 5
    while error_of(third) != 0:  # the worker gives the entry back a moment later: 508 until then
        assert time.monotonic() < deadline
    assert error_of(client_of()) == 486
    assert metric(lab, "turnpike_allocations_capacity") == 2


def test_names_with_a_timestamp_are_one_user_by_what_is_behind_it(lab, relay_with, client_of):
    relay = relay_with(user_quota=2)
    first, second, third = (client_of(**rest("carol", 3600 + i, secret)) for i, secret in enumerate(["north", "south", "north"]))
    first.allocate()
    second.allocate()
    assert error_of(third) == 486
    client_of(**rest("dave")).allocate()
    assert refusals(lab, "user") == 1
    assert 'quota_reached quota=user refused=1 user=carol' in relay.log()
    first.refresh(0)
    third.allocate()
    reload(relay, user_quota=3)
    client_of(**rest("carol")).allocate()
    assert error_of(client_of(**rest("carol"))) == 486


def test_a_users_allocations_on_two_workers_share_its_bandwidth(lab, relay_with, client_of):
    relay_with(user_max_bps=1000, **PORTS)
    flooding = on_both_workers(lambda: client_of(**rest("carol", 3600)))
    with Flows(lab, flooding) as flows, Flows(lab, [client_of(username="bob", password="builder")]) as others:
        arrived = flows.one_by_one(20) + flows.to_peers(130)
        least, most = flows.may_be(1000, keepers=2)
        assert least <= sum(arrived) <= most, arrived
        assert dropped(lab, "user_bandwidth") == 300 - sum(arrived)
        # Media of others, and the other direction, have theirs.
        assert others.to_peers(100) == [100]
        back = flows.to_clients(100)
        least, most = flows.may_be(1000, keepers=2)
        assert least <= sum(back) <= most, back
        assert dropped(lab, "user_bandwidth") == 300 - sum(arrived) + 200 - sum(back)
        assert dropped(lab, "bandwidth") == 0


def test_clients_over_tcp_and_tls_share_their_users_bandwidth(lab, relay_with, client_of, authority):
    relay_with(user_max_bps=1000, certificates=[authority.issue("quotas")])
    context = authority.context()
    clients = [client_of(), client_of(StreamClient), client_of(StreamClient, context=context)]
    with Flows(lab, clients) as flows:
        arrived = flows.one_by_one(20) + flows.to_peers(80)
        least, most = flows.may_be(1000, keepers=3)
        assert least <= sum(arrived) <= most, arrived


def test_all_share_the_bandwidth_of_all(lab, relay_with, client_of):
    relay = relay_with(total_max_bps=1000, **PORTS)
    users = iter([{}, {"username": "bob", "password": "builder"}] * 7)
    with Flows(lab, on_both_workers(lambda: client_of(**next(users)))) as flows:
        arrived = flows.one_by_one(20) + flows.to_peers(130)
        least, most = flows.may_be(1000, keepers=2)
        assert least <= sum(arrived) <= most, arrived
        assert dropped(lab, "total_bandwidth") == 300 - sum(arrived)
        # Live, from none to some and back.
        reload(relay, total_max_bps=0)
        assert flows.to_peers(150) == [150, 150]
        reload(relay, total_max_bps=1000)
        assert sum(flows.to_peers(300)) < 300


def test_a_users_new_bandwidth_holds_for_what_there_is(lab, relay_with, client_of):
    relay = relay_with(user_max_bps=1000)
    with Flows(lab, [client_of()]) as flows:
        assert flows.to_peers(300)[0] < 150
        reload(relay, user_max_bps=100000000)
        flows.to_peers(1)  # the first to ask finds what the low limit has left
        time.sleep(0.3)
        assert flows.to_peers(300) == [300]
        reload(relay, user_max_bps=1000)
        # The channel has a piece of the high limit left.
        assert flows.to_peers(300)[0] < 131 + 66 + 10


def test_who_finds_no_bandwidth_to_be_promised_is_refused(lab, relay_with, client_of):
    relay = relay_with(max_bps=1000000, bps_capacity=2999999)
    first, second, third = client_of(), client_of(), client_of()
    first.allocate()
    second.allocate()
    assert error_of(third) == 486
    assert refusals(lab, "bandwidth") == 1
    assert metric(lab, "turnpike_allocations_capacity") == 2
    reload(relay, bps_capacity=3000000)
    third.allocate()
    # Less than what is promised already: that stays.
    reload(relay, bps_capacity=1000000)
    first.refresh(600)
    third.refresh(0)
    assert error_of(third) == 486
    reload(relay, max_bps=300000)
    third.allocate()
    assert error_of(client_of()) == 486
