// SPDX-License-Identifier: BSD-3-Clause
// The short way of Send and Data indications (RFC 8656 sections 11.2, 11.3): between an IPv4 client
// and an IPv4 peer that the client wrote to, or heard of, last. Of plain datagrams, see
// dataplane/media.h; whatever else there is about them, they go the long way.
#pragma once

#include "dataplane/plain.h"
#include "dataplane/tables.h"

#include <rte_prefetch.h>

// Send indications of clients. What is not forwarded is added to rest.
void indications_to_peers(struct worker *worker, const struct plain_list *senders,
                          struct plain_list *rest);

// Of what will be in such a list: its first step, as soon as its slot is known.
static inline void indications_fetch(const struct tables *tables, const struct relay_slot *slot)
{
    rte_prefetch0(&tables->allocations.at[slot->allocation]);
}

// Datagrams of peers that may have no channel, and the slots of the relay ports that they came to.
void indications_to_clients(struct worker *worker, const struct plain_list *unbound,
                            const struct relay_slot *const *slots, struct plain_list *rest);
