// SPDX-License-Identifier: BSD-3-Clause
// What goes from a worker to the control plane: requests that have passed the nonce, and reports of
// what was removed.
#pragma once

#include "dataplane/worker_state.h"

// The packet is gone for the caller: punted, or dropped when the ring is full or reports wait for
// room, for an Allocate when it is half full.
void punt_message(struct worker *worker, const struct packet *packet,
                  const struct transport_address *client, uint16_t method, uint16_t message_len);

// Send the reports that are due, as many as fit; the rest waits.
void punt_reports(struct worker *worker);
