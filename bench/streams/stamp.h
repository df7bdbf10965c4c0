// SPDX-License-Identifier: BSD-3-Clause
// What a packet's payload says: whose it is, which way it goes, and its number; the rest is the
// client's pattern. Whoever gets it knows whether it is whole, in order, and meant for him.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define STAMP_LEN         12
#define STAMP_PAYLOAD_MAX 1400

enum way {
    TO_PEER,
    TO_CLIENT,
    WAY_COUNT,
};

// Of one client and one way. Numbers begin with 1.
struct stamps {
    uint64_t sent;
    uint64_t last;     // number that was received
    uint64_t seen;     // the last one when it was looked at
    uint64_t given_up; // number up to which none is waited for
    uint64_t received, wrong, late;
};

// A whole payload, whose number is still to be written.
void stamp_fill(uint8_t *payload, uint32_t len, uint32_t client, enum way way);

static inline void stamp_number(uint8_t *payload, uint64_t number)
{
    store_be64(payload + 4, number);
}

// expected: what stamp_fill() makes. Late: after a later one, or again.
void stamp_check(struct stamps *stamps, struct span payload, const uint8_t *expected,
                 uint32_t expected_len);

// How many may be on their way.
static inline uint64_t stamps_on_their_way(const struct stamps *stamps)
{
    return stamps->sent - (stamps->last > stamps->given_up ? stamps->last : stamps->given_up);
}

// The client that a payload says it is of, which need not be so. len is at least STAMP_LEN.
static inline uint32_t stamp_client(const uint8_t *payload)
{
    return load_be32(payload) & 0x7FFFFFFFu;
}
