// SPDX-License-Identifier: BSD-3-Clause
// See turn/address_store.h.
#include "turn/address_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int address_store_init(struct address_store *store, uint32_t capacity,
                       const struct siphash_key *key)
{
    struct address_store made = {.at = calloc(capacity ? capacity : 1, sizeof(*made.at))};
    if (made.at == NULL || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_bytes, capacity, key) != 0) {
        address_store_done(&made);
        return -ENOMEM;
    }
    *store = made;
    return 0;
}

void address_store_done(struct address_store *store)
{
    free(store->at);
    index_pool_done(&store->pool);
    index_map_done(&store->by_bytes);
    memset(store, 0, sizeof(*store));
}

static uint32_t hash_of(const struct address_store *store, const uint8_t *bytes)
{
    return index_map_hash(&store->by_bytes, bytes, 16);
}

static uint32_t find(const struct address_store *store, const struct ip_address *ip, uint32_t hash)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&store->by_bytes, hash, &walk);
    while (at != INDEX_NONE && memcmp(store->at[at].bytes, ip->bytes, sizeof(ip->bytes)) != 0)
        at = index_map_next(&store->by_bytes, &walk);
    return at;
}

static uint32_t v4_stored(const struct ip_address *ip)
{
    uint32_t stored;
    memcpy(&stored, ip->bytes, sizeof(stored));
    return stored;
}

bool address_store_find(const struct address_store *store, const struct ip_address *ip,
                        uint32_t *ret_stored)
{
    if (ip->family == IP_FAMILY_V4) {
        *ret_stored = v4_stored(ip);
        return true;
    }
    uint32_t at = find(store, ip, hash_of(store, ip->bytes));
    if (at == INDEX_NONE)
        return false;
    *ret_stored = at;
    return true;
}

uint32_t address_store_take(struct address_store *store, const struct ip_address *ip)
{
    if (ip->family == IP_FAMILY_V4)
        return v4_stored(ip);
    uint32_t hash = hash_of(store, ip->bytes);
    uint32_t at = find(store, ip, hash);
    if (at == INDEX_NONE) {
        at = index_pool_take(&store->pool);
        assert(at != INDEX_NONE);
        store->at[at].references = 0;
        memcpy(store->at[at].bytes, ip->bytes, sizeof(ip->bytes));
        index_map_insert(&store->by_bytes, hash, at);
    }
    store->at[at].references++;
    return at;
}

void address_store_give(struct address_store *store, uint16_t family, uint32_t stored)
{
    if (family == IP_FAMILY_V4 || --store->at[stored].references > 0)
        return;
    index_map_remove(&store->by_bytes, hash_of(store, store->at[stored].bytes), stored);
    index_pool_give(&store->pool, stored);
}

struct ip_address address_store_get(const struct address_store *store, uint16_t family,
                                    uint32_t stored)
{
    return family == IP_FAMILY_V4 ? ip_address_from_bytes(IP_FAMILY_V4, &stored)
                                  : ip_address_from_bytes(IP_FAMILY_V6, store->at[stored].bytes);
}
