// SPDX-License-Identifier: BSD-3-Clause
// What a relay says of itself when it has come to life, and what it leaves when it stops.
#pragma once

#include "exchange/plane.h"
#include "platform/interface.h"
#include "platform/port_facts.h"
#include "platform/xdp_filter.h"
#include "turn/server.h"

// A log line for each address, and one for the rest. filter NULL: the device is the relay's own.
void summary_log(const struct plane_config *config, const struct interface *interface,
                 const char *device, const struct xdp_filter *filter, bool hugepages);

// A log line for each.
void summary_log_facts(const struct port_facts *facts);

// In the workers' tables, summed; the workers have stopped.
struct summary_tables {
    uint32_t allocations;
    uint32_t permissions;
    uint32_t channels;
    uint32_t steerings;
    uint32_t fragments;
};

// What clients that have not left still held: all zero when none was there, buffers that are being
// sent apart.
void summary_log_usage(const struct turn_usage *usage, const struct summary_tables *tables,
                       uint32_t buffers);
