# SPDX-License-Identifier: BSD-3-Clause
"""Certificates are read anew while calls go on (SIGHUP): a bad pair changes nothing, and nobody notices a good one."""

import os
import shutil
import signal
import time

import pytest

from lab import RELAY4
from media import Media
from relay import TLS_PORT, Relay
from streams import NAME, StreamClient

REREADS = 300
BAD_EVERY = 10


@pytest.fixture(scope="module")
def pairs(authority):
    """Two that serve, to take turns."""
    return [authority.issue(stem) for stem in ("first", "second")]


@pytest.fixture
def relay(lab, tmp_path, pairs):
    for kind, path in pairs[0].items():
        shutil.copy(path, tmp_path / kind)
    served = {kind: str(tmp_path / kind) for kind in pairs[0]}
    # Whoever runs the tests may have it ignored, as nohup does; and the relay respects that.
    hears = ["env", "--default-signal=HUP"]
    with Relay(lab, tmp_path, under=hears, certificates=[served], tls_threads=1) as the_relay:
        yield the_relay


def put(directory, certificate, key):
    for kind, pair in (("certificate", certificate), ("private_key", key)):
        shutil.copy(pair[kind], directory / kind)


def reread(relay):
    """Returns whether the relay took what is in the files."""
    seen = len(relay.log())
    os.kill(relay.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        said = relay.log()[seen:]
        if " reread " in said:
            return True
        if " error " in said and said.endswith("\n"):
            return False
        time.sleep(0.002)
    raise AssertionError(f"no word of the certificates:\n{relay.log_tail()}")


def served_certificate(lab, authority):
    with lab.tcp("client", (RELAY4, TLS_PORT)) as plain:
        with authority.context().wrap_socket(plain, server_hostname=NAME) as sock:
            return sock.getpeercert(binary_form=True)


def test_a_bad_pair_changes_nothing_and_nobody_notices_a_good_one(lab, relay, authority, pairs, tmp_path):
    flow = Media(lab, lambda family: StreamClient(lab, family, context=authority.context()))
    with flow:
        first = served_certificate(lab, authority)
        put(tmp_path, pairs[1], pairs[1])
        assert reread(relay)
        second = served_certificate(lab, authority)
        assert second != first
        put(tmp_path, pairs[0], pairs[1])
        assert not reread(relay)
        assert served_certificate(lab, authority) == second
        for i in range(REREADS):
            is_bad = i % BAD_EVERY == BAD_EVERY - 1
            put(tmp_path, pairs[i % 2], pairs[(i + is_bad) % 2])
            assert reread(relay) != is_bad
        put(tmp_path, pairs[0], pairs[0])
        assert reread(relay)
        assert served_certificate(lab, authority) == first
    assert flow.lost == 0
    flow.client.refresh(0)
    flow.client.close()
