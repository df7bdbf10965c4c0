// SPDX-License-Identifier: BSD-3-Clause
// The short way of what carries nearly all traffic: datagrams of channels, in both directions,
// between a client and a peer of one family, with nothing special about them; and plain indications
// (dataplane/indications.h). Everything else goes the long way (dataplane/burst.h), which does the
// same to these.
#pragma once

#include "dataplane/worker_state.h"

// Forwards what it can. The rest is left in frames, from the first on; returns how many that are.
unsigned media_forward(struct worker *worker, struct rte_mbuf **frames, unsigned count);
// And with it what other workers handed over, stage by stage. Either may be nothing.
unsigned media_forward_both(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                            const struct handoff *handed, unsigned handed_count,
                            struct rte_mbuf **ret_handed_rest, unsigned *ret_handed_rest_count);
