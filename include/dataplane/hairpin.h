// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from one relayed address of this server to another: turned round inside the machine, to
// this worker or to the one that owns the port, and never on the wire (docs/architecture.md,
// "Hairpin").
#pragma once

#include "dataplane/worker_state.h"

// Does a relay have this port at all? Whatever else listens on its address is not reached through
// the hairpin.
static inline bool hairpin_has_port(const struct worker *worker, unsigned relay, uint16_t port_be)
{
    uint16_t port = __builtin_bswap16(port_be);
    const struct plane_relay *to = &worker->config->relays[relay];
    return port >= to->min_port && port <= to->max_port;
}

// The frame, as it would be on the wire, goes to the owner of the port. It is gone for the caller.
void hairpin_turn(struct worker *worker, struct rte_mbuf *frame, uint16_t port_be);
