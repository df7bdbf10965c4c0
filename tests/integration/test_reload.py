# SPDX-License-Identifier: BSD-3-Clause
"""The configuration is read anew while calls go on (SIGHUP): all of it or nothing, and no packet is lost."""

import os
import signal
import time

import pytest

from client import Client
from lab import PEER4
from media import Media
from relay import Relay, render_config

RELOADS = 1000
BAD_EVERY = 10
PEERS = ["198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]

# What may be wrong with a file: its text, made of a good one.
DAMAGES = {
    "syntax": lambda text: text + "user_quota = ;\n",
    "unknown": lambda text: text + "nonsense = 1;\n",
    "range": lambda text: text + "user_quota = 5000000;\n",
    "type": lambda text: text + 'user_quota = "many";\n',
    "prefix": lambda text: text + 'deny_peer = [ "198.51.100.1/24" ];\n',
    "twice": lambda text: text + 'realm = "again";\n',
    "certificate": lambda text: text + 'certificates = ( { certificate = "nowhere.pem"; } );\n',
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
}


@pytest.fixture
def relay(lab, tmp_path):
    with Relay(lab, tmp_path) as the_relay:
        yield the_relay


def reload(relay, text):
    """Returns whether the relay took it."""
    relay.config.write_text(text)
    return relay.reload()


def changed(relay, **settings):
    return render_config({**relay.settings, **settings})


def users(*names):
    return [{"name": name, "password": "of " + name} for name in names]


class Flow(Media):
    INTERVAL_S = 0.001


def error_of(lab, username):
    with Client(lab, username=username, password="of " + username) as client:
        response = client.request(client.allocate_request())
        if response.is_success:
            client.refresh(0)
        return response.error


def test_nothing_is_lost_and_nothing_half_applied(lab, relay, record_figures):
    damages = list(DAMAGES.values())
    bad = 0
    flows = [Flow(lab, lambda family: Client(lab, family)) for _ in range(2)]
    relay.settings["users"] = [*relay.settings["users"], *users("first")]
    with flows[0], flows[1]:
        for number in range(RELOADS):
            is_bad = number % BAD_EVERY == BAD_EVERY - 1
            name = ("even", "odd")[number % 2]
            text = changed(relay, users=[*relay.settings["users"], *users(name)], user_quota=number % 7 + 3)
            if is_bad:
                text = damages[bad % len(damages)](text)
                bad += 1
            assert reload(relay, text) != is_bad
            if number % BAD_EVERY == BAD_EVERY - 2:
                assert (error_of(lab, name), error_of(lab, "odd" if name == "even" else "even")) == (0, 401)
            if is_bad:  # all is as the one before left it
                assert (error_of(lab, name), error_of(lab, "odd" if name == "even" else "even")) == (401, 0)
    record_figures(reloads=RELOADS, bad=bad, packets=sum(flow.sent for flow in flows))
    assert [flow.lost for flow in flows] == [0, 0]
    for flow in flows:
        flow.client.refresh(0)
        flow.client.close()


def test_a_denied_peer_is_out_of_reach_at_once_and_others_are_not(lab, relay):
    with Client(lab) as client, lab.udp("peer", PEER4, timeout=1) as peer:
        client.allocate()
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"before")
        assert peer.recv(2048) == b"before"
        assert reload(relay, changed(relay, deny_peer=[PEER4 + "/32"]))
        time.sleep(0.1)
        client.send_channel(0x4000, b"denied")
        client.send_indication(peer.getsockname(), b"denied")
        peer.sendto(b"denied", client.relayed)
        with pytest.raises(TimeoutError):
            peer.recv(2048)
        assert client.receive(0.5) is None
        assert client.create_permission(PEER4).error == 403
        assert reload(relay, changed(relay))
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"again")
        assert peer.recv(2048) == b"again"
        client.refresh(0)


def test_a_user_who_is_gone_is_refused_and_one_with_a_new_password_goes_on(lab, relay):
    with Client(lab) as gone, Client(lab, username="bob", password="builder") as moved:
        gone.allocate()
        moved.allocate()
        assert reload(relay, changed(relay, users=[{"name": "bob", "password": "carpenter"}]))
        assert gone.refresh().error == 401
        assert gone.create_permission(PEER4).error == 401
        assert moved.refresh().error == 401
        moved.password = "carpenter"
        assert moved.refresh().is_success
        moved.refresh(0)


def test_what_waits_for_a_start_is_named(relay):
    assert reload(relay, changed(relay, min_port=50000, user_quota=5))
    log = relay.log()
    assert "min_port: changed; takes effect at the next start" in log
    assert "user_quota: changed, and in force" in log


def test_a_storm_of_signals_is_bounded(lab, relay):
    with Flow(lab, lambda family: Client(lab, family)) as flow:
        began, used = time.monotonic(), relay.cpu_seconds()
        while time.monotonic() < began + 3:
            os.kill(relay.process.pid, signal.SIGHUP)
        lasted = time.monotonic() - began
    assert flow.lost == 0
    assert relay.log().count(" reloaded ") < 100 * lasted + 2
    assert relay.cpu_seconds() - used < 2 * lasted
    flow.client.refresh(0)
    flow.client.close()
