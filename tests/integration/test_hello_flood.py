# SPDX-License-Identifier: BSD-3-Clause
"""A flood of DTLS ClientHellos from addresses that nobody has: no memory, no media and no honest handshake is lost."""

import concurrent.futures
import json
import subprocess
import sys
import time

import pytest

from client import Client
from full import FULL
from lab import HERE, RELAY4
from media import Media
from relay import SANITIZED, TLS_PORT, Relay

HELLOS_PER_SECOND = 10000
SOURCES = 1000000 if FULL else 100000  # each its own address
ANSWERED_SHARE = 0.99 if FULL else 0.5  # where many tests share few CPUs, some never come
HONEST_AT_ONCE = 4  # openssl takes half a second to say good-bye
HONEST_MIN = 200 if FULL else 20
HONEST_SHARE = 0.99
GROWN_KB_MAX = 1024


@pytest.fixture
def relay(lab, tmp_path, authority):
    with Relay(lab, tmp_path, certificates=[authority.issue("ecdsa")]) as the_relay:
        yield the_relay


@pytest.fixture
def nowhere(lab):
    """The sources are behind the router, which throws away what is sent to them."""
    route = ["ip", "route", "add", "blackhole", "10.0.0.0/8"]
    lab.run("core", *route)
    yield
    lab.run("core", "ip", "route", "delete", *route[3:])


class Flood:
    """As many hellos as sources, at a fixed rate."""

    def __init__(self, lab):
        command = [sys.executable, HERE / "dtls_flood.py", RELAY4, TLS_PORT, SOURCES, HELLOS_PER_SECOND]
        self.process = lab.popen("client", *command, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def is_running(self):
        return self.process.poll() is None

    def report(self):
        return json.loads(self.process.stdout.read())


def handshake(lab, authority):
    command = ["timeout", "10", "openssl", "s_client", "-dtls1_2", "-connect", f"{RELAY4}:{TLS_PORT}"]
    result = lab.run("client", *command, "-CAfile", authority.ca, check=False, input="")
    return "Verify return code: 0 (ok)" in result.stdout


def handshakes(lab, authority, flood):
    """One after the other while there is a flood: whether each was completed."""
    done = []
    while flood.is_running:
        done.append(handshake(lab, authority))
    return done


def test_a_flood_of_hellos_costs_nothing(lab, nowhere, relay, authority, record_figures):
    assert handshake(lab, authority)
    flow = Media(lab, lambda family: Client(lab, family))
    with flow:
        time.sleep(1)
        before_kb = relay.resident_kb()
        with Flood(lab) as flood, concurrent.futures.ThreadPoolExecutor(HONEST_AT_ONCE) as pool:
            loops = [pool.submit(handshakes, lab, authority, flood) for _ in range(HONEST_AT_ONCE)]
            honest = [was_done for loop in loops for was_done in loop.result()]
            report = flood.report()
        grown_kb = relay.resident_kb() - before_kb
    flow.client.refresh(0)
    flow.client.close()
    relay.stop()
    answered = relay.summary()["DTLS: of them, answered with a cookie and forgotten"]
    record_figures(
        sources=report["sent"],
        per_second=round(report["sent"] / report["seconds"]),
        answered=answered,
        grown_kb=grown_kb,
        honest=f"{sum(honest)} of {len(honest)}",
        media_lost=f"{flow.lost} of {flow.sent}",
    )
    assert report["sent"] == SOURCES
    assert report["sent"] > 0.8 * HELLOS_PER_SECOND * report["seconds"]
    assert answered > ANSWERED_SHARE * SOURCES, f"{answered} of {SOURCES} came"
    assert len(honest) >= HONEST_MIN
    assert sum(honest) >= HONEST_SHARE * len(honest)
    assert flow.lost == 0
    # A sanitizer keeps what was freed for a while.
    assert SANITIZED or grown_kb < GROWN_KB_MAX, f"{grown_kb} kB more"
