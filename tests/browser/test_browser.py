# SPDX-License-Identifier: BSD-3-Clause
"""Two Chromiums behind symmetric NATs call each other through the relay: audio, video and data, both ways."""

import json
import os
import pathlib
import subprocess

import pytest
from lab import PEER4, RELAY4, Lab
from relay import PORT, TLS_PORT, Relay
from streams import Authority

HERE = pathlib.Path(__file__).resolve().parent
CHROMIUM = "/usr/bin/chromium"
WEB_PORT = 8080
HTTPS_PORT = 443
URL = f"turn:{RELAY4}:{PORT}?transport=udp"


@pytest.fixture(scope="module")
def lab():
    with Lab(nat=True) as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    settings = {
        "certificates": [authority.issue("relay")],
        "tls_listen": [{"address": RELAY4, "port": HTTPS_PORT}],
    }
    with Relay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
        yield the_relay


@pytest.fixture(scope="module")
def page(lab):
    """The signalling server, on a public host of its own."""
    process = lab.popen(
        "peer", "node", HERE / "signalling.mjs", PEER4, WEB_PORT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield f"http://{PEER4}:{WEB_PORT}/"
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def browsers(lab, authority, tmp_path_factory):
    """Chromium on each of the two hosts, as a program to start, that trusts the authority."""
    directory = tmp_path_factory.mktemp("browsers")
    trust(authority, directory)
    programs = []
    for role in ("a", "b"):
        program = directory / f"chromium-{role}"
        command = " ".join(lab.command(role, CHROMIUM))
        program.write_text(f'#!/bin/sh\nHOME={directory} exec {command} "$@"\n')
        program.chmod(0o755)
        programs.append(str(program))
    return programs


def trust(authority, home):
    """Where Chromium looks for authorities beside its own: turns: has no switch that turns verification off."""
    database = home / ".pki" / "nssdb"
    os.makedirs(database)
    command = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*command, "-N", "--empty-password"], check=True)
    subprocess.run([*command, "-A", "-n", "turnpike test CA", "-t", "C,,", "-i", authority.ca], check=True)


@pytest.fixture
def no_udp(lab):
    """Both are in networks that let no UDP through to the relay."""
    rules = (
        "add table inet firewall; add chain inet firewall output { type filter hook output priority 0; }; "
        f"add rule inet firewall output ip daddr {RELAY4} meta l4proto udp drop"
    )
    for role in ("a", "b"):
        lab.run(role, "nft", rules)
    yield
    for role in ("a", "b"):
        lab.run(role, "nft", "delete table inet firewall")


def call(browsers, page, policies, password="wonderland", url=URL, **more):
    options = {
        "browsers": browsers,
        "page": page,
        "policies": policies,
        "iceServers": [{"urls": url, "username": "alice", "credential": password}],
        **more,
    }
    result = subprocess.run(
        ["node", HERE / "call.mjs", json.dumps(options)], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_two_hosts_cannot_reach_each_other(lab):
    # Or a call would prove nothing about the relay.
    for source, target in (("a", "10.2.0.2"), ("b", "10.1.0.2")):
        assert lab.run(source, "ping", "-c1", "-W1", target, check=False).returncode != 0


def assert_media(result, policies):
    assert result["connected"], result
    for policy, early, late in zip(policies, result["early"], result["late"]):
        assert late["framesDecoded"] > early["framesDecoded"] > 0
        assert late["audioPackets"] > early["audioPackets"] > 0
        assert late["audioEnergy"] > 0
        assert late["dataReceived"] == 50 and late["dataInOrder"]
        if policy == "relay":
            assert late["local"] == "relay"
            assert all(" typ relay" in candidate for candidate in late["gathered"])
    assert "relay" in {end[side] for end in result["late"] for side in ("local", "remote")}


@pytest.mark.parametrize("policies", [("relay", "relay"), ("all", "all"), ("relay", "all")], ids="-".join)
def test_a_call_has_audio_video_and_data_both_ways(relay, browsers, page, policies):
    assert_media(call(browsers, page, policies), policies)


@pytest.mark.parametrize(
    "url, protocol",
    [
        (f"turn:{RELAY4}:{PORT}?transport=tcp", "tcp"),
        (f"turns:{RELAY4}:{TLS_PORT}?transport=tcp", "tls"),
        (f"turns:{RELAY4}:{HTTPS_PORT}?transport=tcp", "tls"),
    ],
    ids=["tcp", "tls", "tls_on_443"],
)
def test_a_call_gets_through_where_udp_is_blocked(relay, browsers, page, no_udp, url, protocol):
    policies = ("relay", "relay")
    result = call(browsers, page, policies, url=url)
    assert_media(result, policies)
    assert [end["relayProtocol"] for end in result["late"]] == [protocol, protocol]


def test_no_call_over_udp_where_it_is_blocked(relay, browsers, page, no_udp):
    # Or the calls before would prove nothing about TCP.
    assert not call(browsers, page, ("relay", "relay"), connectMs=5000)["connected"]


def test_no_call_without_the_password(relay, browsers, page):
    result = call(browsers, page, ("relay", "relay"), password="looking-glass", connectMs=5000)
    assert not result["connected"]
    assert [end["gathered"] for end in result["late"]] == [[], []]
