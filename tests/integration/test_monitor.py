# SPDX-License-Identifier: BSD-3-Clause
"""Whether the relay lives: what it says to probes."""

import time

from monitor import ask, samples
from stuck import stopped, worker_threads


def until(condition, timeout_s):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_healthy_relay_says_so(lab, relay):
    assert ask(lab, "/healthz") == (200, "healthy\n")
    assert ask(lab, "/readyz") == (200, "ready\n")
    assert ask(lab, "/healthz", method="HEAD") == (200, "")


def test_a_stuck_worker_is_said_within_half_a_second_and_once(lab, relay):
    stuck = 'turnpike_worker_stuck{worker="0"}'
    assert samples(ask(lab, "/metrics")[1])[stuck] == 0
    with stopped(worker_threads(relay)[0]):
        time.sleep(0.5)
        assert ask(lab, "/healthz") == (503, "worker 0 is stuck\n")
        assert ask(lab, "/readyz")[0] == 503
        assert samples(ask(lab, "/metrics")[1])[stuck] == 1
        time.sleep(1)
        assert relay.log().count(" worker_stuck worker=0") == 1
    until(lambda: ask(lab, "/healthz")[0] == 200, 5)
    assert relay.log().count(" worker_recovered worker=0") == 1
    assert samples(ask(lab, "/metrics")[1])[stuck] == 0
