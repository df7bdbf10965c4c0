// SPDX-License-Identifier: BSD-3-Clause
// What goes from one worker to another by ring: a frame, and what its first look at it has found, which the owner need
// not find again. That stands beside the frame and not in it, so that nothing from a port can have it.
#pragma once

#include <assert.h>
#include <stdint.h>

struct rte_mbuf;

enum handoff_kind {
    HANDOFF_UNSORTED, // nothing is known of it
    // Plain datagrams, all of whose headers were verified: no options, no fragment, a checksum, lengths that fit, hops
    // left. Nothing has been looked up for them but whose they are. All workers hash alike.
    HANDOFF_CLIENT_V4, // to a listener, and begins as ChannelData does
    HANDOFF_PEER_V4,   // to a relay port of the owner's
    HANDOFF_CLIENT_V6,
    HANDOFF_PEER_V6,
};

struct handoff {
    struct rte_mbuf *frame;
    // Where the owner looks first: of a peer's datagram its slot, as the dataplane numbers them; of a client's its
    // bucket. Nothing of what is unsorted.
    uint32_t place;
    uint16_t tag;  // of a client's datagram, what it has in that bucket
    uint16_t kind; // enum handoff_kind
};

static_assert(sizeof(struct handoff) == 16, "four a cache line of the ring");
