// SPDX-License-Identifier: BSD-3-Clause
// One burst of frames from the first look to the last: classified, looked up together, rewritten.
#pragma once

#include "dataplane/worker_state.h"

// All frames are gone for the caller. may_hand_on: they came from the wire, so another worker may
// be the one to take them. count is at most WORKER_BURST.
void burst_process(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                   bool may_hand_on);
// What came from the wire, and together with it what other workers handed over, which goes to no
// other. Either may be nothing. What is left of the latter is for burst_process_rest(); returns how
// many that are.
unsigned burst_process_both(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                            const struct handoff *handed, unsigned handed_count,
                            struct rte_mbuf **ret_rest);
void burst_process_rest(struct worker *worker, struct rte_mbuf **frames, unsigned count);
