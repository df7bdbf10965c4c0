# SPDX-License-Identifier: BSD-3-Clause
"""Twenty thousand allocations come and go, some by Refresh and some by expiry, and nothing stays behind."""

import time

from churn import churn
from client import Client
from lab import PEER4
from relay import Relay

CLIENTS = 200
CYCLES = 100


def test_twenty_thousand_cycles_leave_nothing_behind(lab, tmp_path, client_of):
    with Relay(lab, tmp_path, default_lifetime=2, max_lifetime=2) as relay:
        # Pools, heaps and caches take their size.
        assert churn(lab, CLIENTS, 5) == []
        before = relay.resident_kb()
        started = time.monotonic()
        assert churn(lab, CLIENTS, CYCLES, expire_every=25) == []
        took = time.monotonic() - started
        assert took < 120, f"{took:.0f} s"
        assert relay.resident_kb() <= before + 1024
        time.sleep(3.5)
        # It serves as on the first day.
        client = client_of()
        client.allocate()
        client.permit(PEER4)
        client.refresh(0)
        client.relayed = None
        time.sleep(0.5)
        assert relay.stop() == 0
        in_use = relay.in_use()
        relay.start()
    # A burst may still have been on its way out.
    assert in_use.pop("buffers") < 64
    assert in_use["allocations"] == in_use["table_allocations"] == 0
    assert not any(in_use.values()), in_use


def test_a_full_port_range_is_free_again_after_expiry(lab, tmp_path):
    ports = {"address": "192.0.2.1", "min_port": 50000, "max_port": 50063}
    with Relay(lab, tmp_path, relay=[ports], default_lifetime=2, max_lifetime=2):
        for _ in range(3):
            clients = [Client(lab) for _ in range(64)]
            for client in clients:
                client.allocate()
            assert {client.relayed[1] for client in clients} == set(range(50000, 50064))
            for client in clients:
                client.close()
            time.sleep(3.5)
