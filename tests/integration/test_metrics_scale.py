# SPDX-License-Identifier: BSD-3-Clause
"""A page of metrics is sums: it takes the control thread no longer with a million allocations, and the workers nothing."""

import pytest

from full import FULL
from lab import RELAY4, Lab
from monitor import ask, samples
from relay import Relay
from test_load import PEERS, run

ALLOCATIONS = 1_000_000 if FULL else 20_000
# Of 31,744 ports each, below those that Linux gives its own sockets.
ADDRESSES = [f"100.127.0.{i}" for i in range(1, 34)]
BATCH = 100_000 if FULL else 10_000
PAGES = 20


@pytest.fixture(scope="module")
def lab():
    with Lab(load=True) as the_lab:
        for address in ADDRESSES:
            the_lab.run("relay", "ip", "address", "add", f"{address}/32", "dev", "relay0")
        yield the_lab


@pytest.fixture
def relay(lab, tmp_path):
    settings = {
        "allow_peer": [*PEERS.values()],
        "listen": [{"address": RELAY4}],
        "relay": [{"address": address} for address in ADDRESSES],
        "min_port": 1024,
        "max_port": 32767,
        "total_quota": ALLOCATIONS,
        "permissions_per_allocation": 1,
        "channels_per_allocation": 1,
    }
    with Relay(lab, tmp_path, **settings) as the_relay:
        yield the_relay


def page(lab):
    status, text = ask(lab, "/metrics")
    assert status == 200
    return samples(text)


def total(found, name):
    return sum(value for sample, value in found.items() if sample.partition("{")[0] == name)


def milliseconds_of_pages(lab):
    """Of the control thread, each."""
    before = page(lab)
    for _ in range(PAGES):
        after = page(lab)
    # What workers had to do meanwhile was not asked of them by pages.
    for name in ("turnpike_commands_total", "turnpike_punted_packets_total"):
        assert total(after, name) == total(before, name)
    taken_s = total(after, "turnpike_page_seconds_total") - total(before, "turnpike_page_seconds_total")
    assert total(after, "turnpike_pages_total") - total(before, "turnpike_pages_total") == PAGES
    return taken_s * 1000 / PAGES


def test_a_page_costs_no_more_with_many_allocations(lab, relay, tmp_path, record_property):
    empty_ms = milliseconds_of_pages(lab)
    options = ["--allocations", BATCH, "--keep", "--duration", 0, "--lifetime", 3000, "--window", 256]
    for batch in range(ALLOCATIONS // BATCH):
        code, report = run(lab, tmp_path, *options, "--clients", f"198.18.{batch}.0/24")
        assert code == 0, report
    found = page(lab)
    assert total(found, "turnpike_allocations_active") == ALLOCATIONS
    assert total(found, "turnpike_channels_active") == ALLOCATIONS
    full_ms = milliseconds_of_pages(lab)
    # No limit: a machine may be as slow as it likes. docs/metrics.md has what was found.
    record_property("milliseconds_a_page", (empty_ms, full_ms))
    print(f"a page takes {empty_ms:.2f} ms with no allocation, {full_ms:.2f} ms with {ALLOCATIONS}")
