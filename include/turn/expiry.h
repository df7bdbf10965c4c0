// SPDX-License-Identifier: BSD-3-Clause
// When everything ends: one timer wheel for relayed addresses, permissions, channels,
// reservations and TCP connections, to the second.
#pragma once

#include "base/timer_wheel.h"
#include "turn/allocation.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

enum expiry_kind {
    EXPIRY_RELAYED_V4, // index: the allocation's id; each relayed address has a time of its own
                       // (RFC 8656 section 6)
    EXPIRY_RELAYED_V6,
    EXPIRY_PERMISSION,
    EXPIRY_CHANNEL,
    EXPIRY_RESERVATION,
    EXPIRY_TCP_CONNECTION, // until it stands, and then until it is bound
    EXPIRY_KIND_COUNT,
};

struct expiry {
    struct timer_wheel wheel;
    uint32_t first[EXPIRY_KIND_COUNT + 1]; // timers of kind k: first[k]..first[k + 1]-1
};

#define EXPIRY_TIMERS_MAX (1u << 30)

// counts: indices by kind. 0, -ENOMEM, -EINVAL when they are more than EXPIRY_TIMERS_MAX.
int expiry_init(struct expiry *expiry, const uint64_t counts[EXPIRY_KIND_COUNT],
                uint32_t max_lifetime_s);
void expiry_done(struct expiry *expiry);

static inline enum expiry_kind expiry_relayed(enum relayed_slot slot)
{
    return slot == RELAYED_V4 ? EXPIRY_RELAYED_V4 : EXPIRY_RELAYED_V6;
}

// Start or restart. It lasts lifetime_s and what is left of the current second.
void expiry_set(struct expiry *expiry, enum expiry_kind kind, uint32_t index,
                const struct turn_time *now, uint32_t lifetime_s);
void expiry_cancel(struct expiry *expiry, enum expiry_kind kind, uint32_t index);

// Of one that runs: whole seconds left, and when it is due.
uint32_t expiry_left_s(const struct expiry *expiry, enum expiry_kind kind, uint32_t index,
                       const struct turn_time *now);
uint64_t expiry_due_ms(const struct expiry *expiry, enum expiry_kind kind, uint32_t index);

// Stop one that is due and say which. False when none is.
bool expiry_pop(struct expiry *expiry, const struct turn_time *now, enum expiry_kind *ret_kind,
                uint32_t *ret_index);
// When to look again, in monotonic milliseconds; UINT64_MAX when nothing runs.
uint64_t expiry_next_ms(const struct expiry *expiry);
