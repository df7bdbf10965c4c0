// SPDX-License-Identifier: BSD-3-Clause
// Media whose frames are made before they are sent, for relays that are faster than frames can be
// written and checked: only headers and the head of the payload, which tell the flow, are put into
// a buffer that has the rest. All that come back are counted, by their length; a sample is checked
// to the last byte.
#pragma once

#include "device.h"
#include "media.h"

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

// One frame of so many that arrive is checked: an odd number, for the directions alternate.
#define PREPARED_CHECK_EVERY 63

struct prepared {
    // Each buffer is a frame of that direction; the port gives them back.
    struct rte_mempool *pools[DIRECTION_COUNT];
    uint8_t *heads; // of each flow that is ready, in each direction: what follows Ethernet's header
    uint64_t heads_len;
    size_t head_len; // whole cache lines: some of the pattern goes with it
    uint16_t sent_lens[DIRECTION_COUNT];
    uint16_t received_lens[DIRECTION_COUNT];
    enum direction turns[2];            // of frames, in turn
    const uint8_t *drawn[DEVICE_BURST]; // heads of the next frames, on their way to the cache
    uint32_t next;                      // of them
    uint32_t unchecked;                 // frames since the last one that was
};

// Before the port starts: a driver that shares its memory (memif) shares what there is then.
// ring_len: frames that the port may hold. 0, -ENOMEM.
int prepared_open(struct prepared *prepared, uint16_t ring_len, uint16_t longest_payload);
void prepared_close(struct prepared *prepared);

// media has one length of payload and is ChannelData. is_reflected: frames come back as they went.
// 0, -ENOMEM.
int prepared_fill(struct prepared *prepared, struct media *media, bool is_reflected);

// At most max of them, there is room for which, are queued and counted.
void prepared_send(struct prepared *prepared, struct media *media, struct device *device,
                   unsigned max);

// True when the frame was counted and that is all; else the caller looks at it.
static inline bool prepared_receive(struct prepared *prepared, struct media *media, uint16_t len)
{
    bool is_to_peer = len == prepared->received_lens[TO_PEER];
    struct media_counts *counts = &media->counts[is_to_peer ? TO_PEER : TO_CLIENT];

    if (!is_to_peer && len != prepared->received_lens[TO_CLIENT])
        return false;
    if (++prepared->unchecked == PREPARED_CHECK_EVERY) {
        prepared->unchecked = 0;
        return false;
    }
    counts->received++;
    counts->received_len += media->config.lens[0];
    return true;
}
