// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from a client to the peer its channel is bound to (RFC 8656 section 12.6).
#pragma once

#include "dataplane/worker_state.h"

// channel: the entry of this client and channel number. The packet is gone for the caller.
void channel_to_peer(struct worker *worker, const struct packet *packet, struct channel *channel);
