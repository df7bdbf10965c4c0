# SPDX-License-Identifier: BSD-3-Clause
"""A machine of two NUMA nodes, with a CPU and half of the memory each, and a card on either: what of a relay is where."""

import contextlib
import re

import pytest

from client import Client
from guest import CARDS, NODE_HUGEPAGES, NODES, GuestRelay
from test_guest import call

FAR = next(card for card in CARDS if card.node == 1)
HUGEPAGE_LEN = 2 << 20
HUGEPAGES = "/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/nr_hugepages"


def hugepages_of(guest, relay):
    """How many it has of each node."""
    said = guest.run(f"grep kernelpagesize_kB=2048 /proc/{relay.pid}/numa_maps")
    counts = [0] * NODES
    for node, count in re.findall(r" N(\d+)=(\d+)", said):
        counts[int(node)] += int(count)
    return counts


def cpu_of_the_worker(guest, relay):
    (said,) = guest.run(
        f"cd /proc/{relay.pid}/task; grep -l worker */comm | cut -d/ -f1 |"
        " while read t; do awk '/^Cpus_allowed_list/ {print $2}' $t/status; done"
    ).split()
    return int(said)


@pytest.mark.parametrize("card", [card for card in CARDS if card.node is not None], ids=lambda card: f"node_{card.node}")
def test_buffers_and_worker_are_on_the_cards_node(guest, card):
    with GuestRelay(guest, card, workers=1) as relay:
        numa = relay.uses("numa")
        assert (numa["found"], numa["used"]) == (f"node {card.node}",) * 2
        assert numa["why"] == "packet buffers and rings are where the device is"
        # Each node has one.
        assert cpu_of_the_worker(guest, relay) == card.node
        count, length = (int(number) for number in re.findall(r"\d+", relay.uses("buffers")["used"]))
        near, far = (hugepages_of(guest, relay)[node] for node in (card.node, 1 - card.node))
        assert near * HUGEPAGE_LEN > count * length and far < 5, (near, far)
        assert " other_node " not in relay.log()


@contextlib.contextmanager
def no_hugepages(guest, node):
    guest.run(f"echo 0 >{HUGEPAGES.format(node)}")
    try:
        yield
    finally:
        guest.run(f"echo {NODE_HUGEPAGES} >{HUGEPAGES.format(node)}")


def test_warns_of_a_worker_and_of_buffers_on_another_node(guest, lab):
    with no_hugepages(guest, FAR.node), GuestRelay(guest, FAR, memory_mb=150) as relay:
        numa = relay.uses("numa")
        assert (numa["found"], numa["used"]) == (f"node {FAR.node}", "any node")
        assert numa["why"] == "the device's node has too little memory free"
        assert hugepages_of(guest, relay)[FAR.node] == 0
        warnings = [line for line in relay.log().splitlines() if " warning other_node " in line]
        assert len(warnings) == 2, relay.log()
        assert "the CPUs of 1 of 2 workers on another" in warnings[0]
        assert "too few hugepages free" in warnings[1]
        with Client(lab) as client:
            call(lab, client, 4)
