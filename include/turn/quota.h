// SPDX-License-Identifier: BSD-3-Clause
// How much each user holds, and how much a user may hold (RFC 8656 section 7.2, check 10: by
// username, not by address).
#pragma once

#include "turn/name_table.h"

#include <stdbool.h>
#include <stdint.h>

enum quota_kind {
    QUOTA_ALLOCATIONS,
    QUOTA_RESERVATIONS, // as many as allocations: ports that are held for EVEN-PORT
    QUOTA_KIND_COUNT,
};

struct quota_counts {
    uint32_t held[QUOTA_KIND_COUNT];
};

struct quota {
    struct name_table users;
    struct quota_counts *counts; // by user
    uint32_t limit;              // of each kind; 0: none
    uint32_t allocating_count;   // users with an allocation
};

// capacity: users at once. 0, -ENOMEM.
int quota_init(struct quota *quota, uint32_t capacity, uint32_t limit,
               const struct siphash_key *key);
void quota_done(struct quota *quota);

// May this user hold one more?
bool quota_allows(const struct quota *quota, enum quota_kind kind, struct span user);
// The user's index, to give back with; INDEX_NONE when the table is full.
uint32_t quota_take(struct quota *quota, enum quota_kind kind, struct span user);
void quota_give(struct quota *quota, enum quota_kind kind, uint32_t user);
