// SPDX-License-Identifier: BSD-3-Clause
// What peers send to a relayed address: ChannelData to the client where a channel is bound, a Data
// indication where only a permission is (RFC 8656 sections 11.3, 12.7). Both leave the packet gone
// for the caller.
#pragma once

#include "dataplane/worker_state.h"

void peer_to_channel(struct worker *worker, const struct packet *packet, struct channel *channel);

// packet->allocation has a live permission for the packet's source.
void peer_to_data(struct worker *worker, const struct packet *packet);
