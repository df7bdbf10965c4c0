// SPDX-License-Identifier: BSD-3-Clause
// How much each user holds, how much a user may hold, and all of them (RFC 8656 section 7.2, check
// 10: by username, not by address).
#pragma once

#include "turn/name_table.h"

#include <stdbool.h>
#include <stdint.h>

enum quota_kind {
    QUOTA_ALLOCATIONS,
    QUOTA_RESERVATIONS, // as many as allocations: ports that are held for EVEN-PORT
    QUOTA_KIND_COUNT,
};

// What an allocation can be refused for; names as labels.
#define QUOTA_REFUSAL_LIST(X)                                                                      \
    X(USER, user)                                                                                  \
    X(TOTAL, total)                                                                                \
    X(BANDWIDTH, bandwidth)

enum quota_refusal {
    QUOTA_NOT_REFUSED,
#define X(id, name) QUOTA_REFUSED_##id,
    QUOTA_REFUSAL_LIST(X)
#undef X
    QUOTA_REFUSAL_COUNT,
};

struct quota_limits {
    uint32_t per_user;     // of each kind; 0: none
    uint32_t total;        // allocations
    uint64_t max_bps;      // that each allocation takes of
    uint64_t bps_capacity; // 0: no limit
};

struct quota_counts {
    uint32_t held[QUOTA_KIND_COUNT];
};

struct quota {
    struct name_table users;
    struct quota_counts *counts; // by user
    struct quota_limits limits;
    uint32_t allocation_count; // of all users
    uint32_t allocating_count; // users with an allocation
};

// capacity: users at once. 0, -ENOMEM.
int quota_init(struct quota *quota, uint32_t capacity, const struct quota_limits *limits,
               const struct siphash_key *key);
void quota_done(struct quota *quota);

// As labels: "user", "total", "bandwidth". Static storage.
const char *quota_refusal_name(enum quota_refusal refusal);

// How many allocations there may be at once, by the quota of all and by what bandwidth there is to
// promise: what is promised is max_bps to each, those too that were made when it was another.
static inline uint32_t quota_allocations_max(const struct quota *quota)
{
    const struct quota_limits *limits = &quota->limits;
    uint64_t promises = limits->bps_capacity > 0 && limits->max_bps > 0
                            ? limits->bps_capacity / limits->max_bps
                            : UINT64_MAX;
    return promises < limits->total ? (uint32_t)promises : limits->total;
}

// May there be one more allocation, of whomever?
static inline bool quota_has_room(const struct quota *quota)
{
    return quota->allocation_count < quota_allocations_max(quota);
}

// May this user hold one more?
bool quota_allows(const struct quota *quota, enum quota_kind kind, struct span user);
// May this user make one more allocation, and if not, why?
enum quota_refusal quota_check(const struct quota *quota, struct span user);
// The user's index, to give back with; INDEX_NONE when the table is full.
uint32_t quota_take(struct quota *quota, enum quota_kind kind, struct span user);
void quota_give(struct quota *quota, enum quota_kind kind, uint32_t user);

// What tells the users apart that have an index one after the other: of each name another, but for
// one in 2^32.
uint32_t quota_user_tag(const struct quota *quota, uint32_t user);
