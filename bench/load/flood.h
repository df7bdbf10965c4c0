// SPDX-License-Identifier: BSD-3-Clause
// Strangers: requests without credentials from many addresses, and how many are answered (RFC 8489
// sections 9.2.4, 12).
#pragma once

#include "endpoint.h"
#include "frame.h"
#include "histogram.h"
#include "proto/message.h"
#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flood_kind {
    FLOOD_NONE,
    FLOOD_BINDING,
    FLOOD_ALLOCATE, // answered 401
};

struct flood_config {
    enum flood_kind kind;
    const struct link *link;
    struct transport_address server;
    struct endpoint_range sources;
    uint64_t seed;
};

struct flood_counts {
    uint64_t sent;
    uint64_t answered;
    uint64_t wrong; // another answer than the right one
};

struct flood {
    struct flood_config config;
    struct random_state random;
    uint32_t source_count;
    struct flood_counts counts;
    struct histogram ticks; // until the answer
};

void flood_init(struct flood *flood, const struct flood_config *config);

// The next request, as a whole frame. Returns the frame's length, at most FLOOD_FRAME_MAX_LEN.
#define FLOOD_FRAME_MAX_LEN 128
size_t flood_write(struct flood *flood, uint8_t *frame, uint64_t now);

// False when it is the answer to nothing of ours.
bool flood_receive(struct flood *flood, const struct datagram *datagram,
                   const struct stun_message *message, uint64_t now);
