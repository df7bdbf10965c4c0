// SPDX-License-Identifier: BSD-3-Clause
// The clients that one worker knows another to own: their packets are handed there. Written and
// read by that worker alone.
#pragma once

#include "dataplane/flow_table.h"
#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/command.h"
#include "exchange/plane.h"

#include <assert.h>
#include <stdint.h>

struct tables;

// The key that leads here, in whose number, which is always the same, the owner stands.
struct steering {
    struct flow_key client;
};

static_assert(sizeof(struct steering) == 32, "two a cache line");

static inline uint16_t steering_owner(const struct steering *steering)
{
    return (uint16_t)(steering->client.words[1] >> FLOW_KEY_NUMBER_SHIFT);
}

#define STEERING_NUMBER_MASK ((uint64_t)UINT16_MAX << FLOW_KEY_NUMBER_SHIFT)

// As it is looked up.
static inline struct flow_key steering_key(const struct steering *steering)
{
    struct flow_key key = steering->client;
    key.words[1] &= ~STEERING_NUMBER_MASK;
    key.words[1] |= (uint64_t)FLOW_STEERING_NUMBER_BE << FLOW_KEY_NUMBER_SHIFT;
    return key;
}

struct steering_table {
    struct steering *at;
    struct index_pool pool;
};

// Its part of the tables' block; done twice, see struct table_cutter.
void steering_table_cut(struct steering_table *table, const struct plane_config *config,
                        struct table_cutter *cutter);

// 0; -ENOSPC; -ENOENT: nothing to remove; -EINVAL: a listener that cannot be.
int steering_table_install(struct tables *tables, const struct command *command);
int steering_table_remove(struct tables *tables, const struct command *command);
