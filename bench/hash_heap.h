// SPDX-License-Identifier: BSD-3-Clause
// Memory for DPDK's own tables as good as what the relay's stand in: transparent huge pages.
#pragma once

#include <stddef.h>

struct hash_heap {
    const char *name;
    int socket; // what rte_hash_create() and its like are to be told
    void *bytes;
    size_t len;
};

// For so many bytes of tables. name: static, no other heap's. Anything that goes wrong ends the process.
void hash_heap_create(struct hash_heap *heap, const char *name, size_t len);
// All that was taken of it has been given back.
void hash_heap_destroy(struct hash_heap *heap);

// Bytes that have been taken of it.
size_t hash_heap_used(const struct hash_heap *heap);
// Bytes that an rte_hash of so many entries may take.
size_t hash_heap_len(size_t entries, size_t key_len);
