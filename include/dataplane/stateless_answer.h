// SPDX-License-Identifier: BSD-3-Clause
// STUN messages to a listener that are not for relaying: answered here without state, or passed to
// the control plane (RFC 8489 sections 6.3, 9.2.4; docs/architecture.md, "Stateless answers").
#pragma once

#include "dataplane/worker_state.h"

// Packets of kind PACKET_STUN. They are gone for the caller.
void stateless_answer(struct worker *worker, const struct worker_packets *list);
