// SPDX-License-Identifier: BSD-3-Clause
// See turn/reservation.h.
#include "turn/reservation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int reservation_table_init(struct reservation_table *table, uint32_t capacity,
                           const struct siphash_key *key)
{
    struct reservation_table made = {.at = calloc(capacity ? capacity : 1, sizeof(*made.at))};
    if (made.at == NULL || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_token, capacity, key) != 0) {
        reservation_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void reservation_table_done(struct reservation_table *table)
{
    free(table->at);
    index_pool_done(&table->pool);
    index_map_done(&table->by_token);
    memset(table, 0, sizeof(*table));
}

static uint32_t hash_of(const struct reservation_table *table, const uint8_t *token)
{
    return index_map_hash(&table->by_token, token, RESERVATION_TOKEN_LEN);
}

uint32_t reservation_find(const struct reservation_table *table,
                          const uint8_t token[RESERVATION_TOKEN_LEN])
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&table->by_token, hash_of(table, token), &walk);
    while (at != INDEX_NONE && memcmp(table->at[at].token, token, RESERVATION_TOKEN_LEN) != 0)
        at = index_map_next(&table->by_token, &walk);
    return at;
}

uint32_t reservation_create(struct reservation_table *table, struct turn_relayed_address address,
                            uint32_t user, const struct random_source *random)
{
    uint32_t reservation = index_pool_take(&table->pool);
    assert(reservation != INDEX_NONE);
    struct reservation *at = &table->at[reservation];
    *at = (struct reservation){.address = address, .user = user};
    do
        random_fill(random, at->token, sizeof(at->token));
    while (reservation_find(table, at->token) != INDEX_NONE);
    index_map_insert(&table->by_token, hash_of(table, at->token), reservation);
    return reservation;
}

void reservation_destroy(struct reservation_table *table, uint32_t reservation)
{
    index_map_remove(&table->by_token, hash_of(table, table->at[reservation].token), reservation);
    index_pool_give(&table->pool, reservation);
}
