# SPDX-License-Identifier: BSD-3-Clause
"""Two Chromiums behind symmetric NATs call each other through the relay: audio, video and data, both ways."""

import json
import pathlib
import subprocess

import pytest
from lab import PEER4, RELAY4, Lab
from relay import PORT, Relay

HERE = pathlib.Path(__file__).resolve().parent
CHROMIUM = "/usr/bin/chromium"
WEB_PORT = 8080


@pytest.fixture(scope="module")
def lab():
    with Lab(nat=True) as the_lab:
        yield the_lab


@pytest.fixture(scope="module")
def relay(lab, tmp_path_factory):
    with Relay(lab, tmp_path_factory.mktemp("relay")) as the_relay:
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
def browsers(lab, tmp_path_factory):
    """Chromium on each of the two hosts, as a program to start."""
    directory = tmp_path_factory.mktemp("browsers")
    programs = []
    for role in ("a", "b"):
        program = directory / f"chromium-{role}"
        command = " ".join(lab.command(role, CHROMIUM))
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
        programs.append(str(program))
    return programs


def call(browsers, page, policies, password="wonderland", **more):
    options = {
        "browsers": browsers,
        "page": page,
        "policies": policies,
        "iceServers": [
            {"urls": f"turn:{RELAY4}:{PORT}?transport=udp", "username": "alice", "credential": password}
        ],
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


@pytest.mark.parametrize("policies", [("relay", "relay"), ("all", "all"), ("relay", "all")], ids="-".join)
def test_a_call_has_audio_video_and_data_both_ways(relay, browsers, page, policies):
    result = call(browsers, page, policies)
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


def test_no_call_without_the_password(relay, browsers, page):
    result = call(browsers, page, ("relay", "relay"), password="looking-glass", connectMs=5000)
    assert not result["connected"]
    assert [end["gathered"] for end in result["late"]] == [[], []]
