// SPDX-License-Identifier: BSD-3-Clause
// A table that leads from the keys of a burst to their entries.
#pragma once

#include "contest.h"

#include <stddef.h>
#include <stdint.h>

struct contender {
    const char *name;
    const char *what;
    // With a place for every entry of the contest, which outlives it. Anything that goes wrong ends the process.
    void *(*create)(const struct contest *contest);
    void (*destroy)(void *table);
    // Bytes of the table, and of the keys wherever they stand.
    size_t (*len)(const void *table);
    // What is written in the entries that the keys lead to, FLOW_NONE. count is at most CONTEST_BURST.
    void (*find)(const void *table, const struct flow_key *keys, unsigned count, uint32_t *ret_numbers);
};

extern const struct contender contender_flow_table;
extern const struct contender contender_array;
extern const struct contender contender_rte_hash_crc;
extern const struct contender contender_rte_hash_keyed;
