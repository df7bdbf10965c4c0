// SPDX-License-Identifier: BSD-3-Clause
// What happened each second between two samples.
#pragma once

#include "ctl/top_sample.h"

// Packets and bits a second. Of what there is nothing to compare with, known is false, and the rates are 0.
struct top_flow {
    bool known;
    bool busy_is_known;
    double rx_packets, rx_bits, tx_packets, tx_bits, dropped;
    double busy_percent; // of a worker's time; not of all of them together
};

struct top_allocation_flow {
    bool known;
    double packets_to_peer, bits_to_peer, packets_to_client, bits_to_client;
};

// Of all that peers are sent over TCP, which is no worker's.
struct top_tcp_flow {
    bool known;
    double bits_to_peer, bits_to_client;
};

// By the places of the later sample.
struct top_rates {
    struct top_flow all;
    struct top_tcp_flow tcp;
    struct top_flow workers[TOP_WORKERS_MAX];
    double drops[TOP_DROPS_MAX];
    struct top_allocation_flow allocations[TOP_ALLOCATIONS_MAX];
};

// Both of the same relay process, or nothing is known.
void top_rates_compute(const struct top_sample *before, const struct top_sample *now, struct top_rates *ret_rates);
