// SPDX-License-Identifier: BSD-3-Clause
// Data of a client whose allocation is not on the worker that it landed on: because the claimed
// port is another worker's, because it came in fragments, or because the port has begun to spread
// its queues differently.
#pragma once

#include "dataplane/worker_state.h"

// The frame is gone for the caller: handed to the owner of the client's allocation, or to the
// client's home, who knows it; dropped for this reason where nobody can know better. That is
// settled later, for all of a burst together.
void stray_client(struct worker *worker, struct packet *packet, enum drop drop);
// After each burst.
void stray_clients_settle(struct worker *worker);
