// SPDX-License-Identifier: BSD-3-Clause
// Has every packet that came in gone out, once, to where it should, with all its bytes? Figures of a relay that errs
// are worth nothing.
#pragma once

#include <stdint.h>

struct port;
struct traffic;
struct worker_counters;

// What the port has sent, after all packets of traffic have come in. Ends the process when a packet is
// missing or wrong.
void check_relayed(struct traffic *traffic, const struct port *port);
// The same after a router of exact match: as they came, but for the MAC addresses and one hop.
void check_routed(struct traffic *traffic, const struct port *port);
// The same after a macswap.
void check_swapped(struct traffic *traffic, const struct port *port);
// before: the worker's counters then. The worker has dropped nothing since, and says so of all packets.
void check_counters(const struct traffic *traffic, const struct worker_counters *before,
                    const struct worker_counters *after);
