// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from one relayed address of this server to another: turned round inside the machine, to
// this worker or to the one that owns the port, and never on the wire (docs/architecture.md,
// "Hairpin").
#pragma once

#include "dataplane/worker_state.h"

// The frame, as it would be on the wire, goes to the owner of the port. It is gone for the caller.
void hairpin_turn(struct worker *worker, struct rte_mbuf *frame, uint16_t port_be);
