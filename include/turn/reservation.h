// SPDX-License-Identifier: BSD-3-Clause
// Ports held for a later Allocate, found by token (RFC 8656 sections 7.2, 18.7, 18.10).
#pragma once

#include "base/index_map.h"
#include "base/index_pool.h"
#include "base/random.h"
#include "turn/command.h"

#include <stdint.h>

#define RESERVATION_TOKEN_LEN 8

struct reservation {
    uint8_t token[RESERVATION_TOKEN_LEN];
    struct turn_relayed_address address;
    uint32_t user; // in turn_server.quota
};

struct reservation_table {
    struct reservation *at;
    struct index_pool pool;
    struct index_map by_token;
};

// 0, -ENOMEM.
int reservation_table_init(struct reservation_table *table, uint32_t capacity,
                           const struct siphash_key *key);
void reservation_table_done(struct reservation_table *table);

// INDEX_NONE when no such token is held.
uint32_t reservation_find(const struct reservation_table *table,
                          const uint8_t token[RESERVATION_TOKEN_LEN]);

static inline bool reservation_table_has_room(const struct reservation_table *table)
{
    return index_pool_free(&table->pool) > 0;
}

// There is room. The token is new and random.
uint32_t reservation_create(struct reservation_table *table, struct turn_relayed_address address,
                            uint32_t user, const struct random_source *random);
void reservation_destroy(struct reservation_table *table, uint32_t reservation);
