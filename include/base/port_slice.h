// SPDX-License-Identifier: BSD-3-Clause
// Which worker owns a relay port. Both planes compute it, so it is a pure function of the port: a port pair N, N+1 with
// N even has one owner, every range is spread evenly, and with 2^k workers one masked rule (k bits) covers a slice.
#pragma once

#include <stdint.h>

#define PORT_SLICE_COUNT 64 // also the largest number of workers

static inline uint16_t port_slice_worker(uint16_t port, uint16_t worker_count)
{
    uint16_t slice = (port >> 1) & (PORT_SLICE_COUNT - 1);
    return (uint16_t)((slice * worker_count) / PORT_SLICE_COUNT);
}
