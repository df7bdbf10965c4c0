// SPDX-License-Identifier: BSD-3-Clause
// DPDK's: cuckoo buckets, keys in an array beside them. With the CRC32 that it uses by itself, and
// with the relay's keyed hash in its place.
#include "../fail.h"
#include "../hash_heap.h"
#include "contender.h"

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_prefetch.h>
#include <stdlib.h>

// It promises no place to the last keys, and cuckoo buckets that are nearly full move others at
// length.
#define KEYS_A_PLACE 0.8

struct dpdk {
    struct rte_hash *hash;
    struct hash_heap heap;
    const struct contest *contest;
    struct flow_table keyed; // for the hash under its key alone
    bool is_keyed;
};

static uint32_t signature(const struct dpdk *dpdk, const struct flow_key *key)
{
    uint64_t hash;
    flow_table_hash(&dpdk->keyed, key, 1, &hash);
    return (uint32_t)hash;
}

static void add(struct dpdk *dpdk, struct entry *entry)
{
    struct packed_key key;
    packed_key_set(&key, dpdk->contest->family, entry->number);
    int error =
        dpdk->is_keyed
            ? rte_hash_add_key_with_hash_data(dpdk->hash, &key, signature(dpdk, &entry->key), entry)
            : rte_hash_add_key_data(dpdk->hash, &key, entry);
    if (error != 0)
        fail("rte_hash: no room for key %u of %u", entry->number + 1, dpdk->contest->entry_count);
}

static struct dpdk *create(const struct contest *contest, bool is_keyed)
{
    struct rte_hash_parameters parameters = {
        .name = is_keyed ? "keyed" : "crc",
        .entries = RTE_MAX((uint32_t)(contest->entry_count / KEYS_A_PLACE), 8u),
        .key_len = packed_key_len(contest->family),
        .hash_func = rte_hash_crc,
    };
    struct dpdk *dpdk = aligned_alloc(64, RTE_ALIGN(sizeof(*dpdk), 64));
    if (dpdk == NULL)
        fail("out of memory");
    *dpdk = (struct dpdk){.contest = contest, .is_keyed = is_keyed};
    hash_heap_create(&dpdk->heap, parameters.name,
                     hash_heap_len(parameters.entries, parameters.key_len));
    parameters.socket_id = dpdk->heap.socket;
    dpdk->hash = rte_hash_create(&parameters);
    if (dpdk->hash == NULL || flow_table_init(&dpdk->keyed, 1, SOCKET_ID_ANY) != 0)
        fail("no memory for a table of %u keys", contest->entry_count);
    for (uint32_t i = 0; i < contest->entry_count; i++)
        add(dpdk, &contest->entries[i]);
    return dpdk;
}

static void *create_crc(const struct contest *contest)
{
    return create(contest, false);
}

static void *create_keyed(const struct contest *contest)
{
    return create(contest, true);
}

static void destroy(void *table)
{
    struct dpdk *dpdk = table;
    rte_hash_free(dpdk->hash);
    hash_heap_destroy(&dpdk->heap);
    flow_table_done(&dpdk->keyed);
    free(dpdk);
}

static size_t len(const void *table)
{
    const struct dpdk *dpdk = table;
    return hash_heap_used(&dpdk->heap);
}

// The entries found, and which.
static void read_entries(struct entry **entries, uint64_t hits, unsigned count,
                         uint32_t *ret_numbers)
{
    for (unsigned i = 0; i < count; i++) {
        if ((hits >> i & 1) != 0)
            rte_prefetch0(entries[i]);
    }
    for (unsigned i = 0; i < count; i++)
        ret_numbers[i] = (hits >> i & 1) != 0 ? entries[i]->number : FLOW_NONE;
}

static void find_crc(const void *table, const struct flow_key *keys, unsigned count,
                     uint32_t *ret_numbers)
{
    const struct dpdk *dpdk = table;
    const struct packed_key *packed = dpdk->contest->packed_keys + (keys - dpdk->contest->keys);
    const void *pointers[CONTEST_BURST];
    struct entry *entries[CONTEST_BURST];
    uint64_t hits = 0;
    for (unsigned i = 0; i < count; i++)
        pointers[i] = &packed[i];
    rte_hash_lookup_bulk_data(dpdk->hash, pointers, count, &hits, (void **)entries);
    read_entries(entries, hits, count, ret_numbers);
}

static void find_keyed(const void *table, const struct flow_key *keys, unsigned count,
                       uint32_t *ret_numbers)
{
    const struct dpdk *dpdk = table;
    const struct packed_key *packed = dpdk->contest->packed_keys + (keys - dpdk->contest->keys);
    const void *pointers[CONTEST_BURST];
    struct entry *entries[CONTEST_BURST];
    uint64_t hashes[CONTEST_BURST];
    uint32_t signatures[CONTEST_BURST];
    uint64_t hits = 0;
    flow_table_hash(&dpdk->keyed, keys, count, hashes);
    for (unsigned i = 0; i < count; i++) {
        pointers[i] = &packed[i];
        signatures[i] = (uint32_t)hashes[i];
    }
    rte_hash_lookup_with_hash_bulk_data(dpdk->hash, pointers, signatures, count, &hits,
                                        (void **)entries);
    read_entries(entries, hits, count, ret_numbers);
}

const struct contender contender_rte_hash_crc = {
    .name = "rte_hash-crc",
    .what = "DPDK's: CRC32, cuckoo buckets, keys in an array; rte_hash_lookup_bulk_data()",
    .create = create_crc,
    .destroy = destroy,
    .len = len,
    .find = find_crc,
};

const struct contender contender_rte_hash_keyed = {
    .name = "rte_hash-keyed",
    .what = "the same with the relay's hash; rte_hash_lookup_with_hash_bulk_data()",
    .create = create_keyed,
    .destroy = destroy,
    .len = len,
    .find = find_keyed,
};
