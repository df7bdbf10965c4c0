// SPDX-License-Identifier: BSD-3-Clause
// See turn/identity.h.
#include "turn/identity.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

int identity_table_init(struct identity_table *table, uint32_t capacity,
                        const struct siphash_key *key)
{
    struct identity_table made = {.at = calloc(capacity ? capacity : 1, sizeof(*made.at))};
    if (made.at == NULL || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_name, capacity, key) != 0) {
        identity_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

static void forget(struct identity *identity)
{
    free(identity->name);
    OPENSSL_cleanse(identity, sizeof(*identity));
}

void identity_table_done(struct identity_table *table)
{
    for (uint32_t at = 0; at < table->pool.fresh; at++)
        forget(&table->at[at]);
    free(table->at);
    index_pool_done(&table->pool);
    index_map_done(&table->by_name);
    memset(table, 0, sizeof(*table));
}

static bool is_same(const struct identity *identity, struct span name,
                    enum stun_password_algorithm algorithm, const struct integrity_key *key)
{
    return identity->name_len == name.len && memcmp(identity->name, name.data, name.len) == 0 &&
           identity->algorithm == algorithm && identity->key_len == key->len &&
           CRYPTO_memcmp(identity->key, key->bytes, key->len) == 0;
}

static uint32_t create(struct identity_table *table, struct span name,
                       enum stun_password_algorithm algorithm, const struct integrity_key *key,
                       uint32_t hash)
{
    if (index_pool_free(&table->pool) == 0)
        return INDEX_NONE;
    char *copy = malloc(name.len + 1);
    if (copy == NULL)
        return INDEX_NONE;
    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    uint32_t identity = index_pool_take(&table->pool);
    struct identity *at = &table->at[identity];
    *at = (struct identity){.name = copy,
                            .name_len = (uint32_t)name.len,
                            .algorithm = (uint8_t)algorithm,
                            .key_len = key->len};
    memcpy(at->key, key->bytes, key->len);
    index_map_insert(&table->by_name, hash, identity);
    return identity;
}

uint32_t identity_take(struct identity_table *table, struct span name,
                       enum stun_password_algorithm algorithm, const struct integrity_key *key)
{
    assert(key->len <= IDENTITY_KEY_MAX_LEN);
    struct index_map_walk walk;
    uint32_t hash = index_map_hash(&table->by_name, name.data, name.len);
    uint32_t identity = index_map_first(&table->by_name, hash, &walk);
    while (identity != INDEX_NONE && !is_same(&table->at[identity], name, algorithm, key))
        identity = index_map_next(&table->by_name, &walk);
    if (identity == INDEX_NONE)
        identity = create(table, name, algorithm, key, hash);
    if (identity == INDEX_NONE)
        return INDEX_NONE;
    table->at[identity].references++;
    table->at[identity].is_good = true;
    table->at[identity].generation = table->generation;
    return identity;
}

void identity_give(struct identity_table *table, uint32_t identity)
{
    struct identity *at = &table->at[identity];
    if (--at->references > 0)
        return;
    index_map_remove(&table->by_name, index_map_hash(&table->by_name, at->name, at->name_len),
                     identity);
    forget(at);
    index_pool_give(&table->pool, identity);
}

void identity_get_key(const struct identity_table *table, uint32_t identity,
                      struct integrity_key *ret_key)
{
    const struct identity *at = &table->at[identity];
    *ret_key = (struct integrity_key){.len = at->key_len};
    memcpy(ret_key->bytes, at->key, at->key_len);
}
