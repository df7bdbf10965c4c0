// SPDX-License-Identifier: BSD-3-Clause
// Memory for DPDK's own tables: without hugepages the EAL's heap stands in small pages and has a
// fixed size, so tables in it would be slower than the relay's for a reason that is none of theirs.
#include "hash_heap.h"

#include "fail.h"

#include <rte_common.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_LEN  ((size_t)2 << 20)
#define SPARE_LEN (4 * PAGE_LEN)

size_t hash_heap_len(size_t entries, size_t key_len)
{
    size_t slots = rte_align64pow2(entries + 1);
    size_t keys = (entries + 1) * RTE_ALIGN(sizeof(void *) + key_len, 16);
    size_t buckets = slots * RTE_CACHE_LINE_SIZE / 8;
    return keys + 2 * (buckets + slots * sizeof(uint32_t)); // twice: an extension table has as many
}

void hash_heap_create(struct hash_heap *heap, const char *name, size_t len)
{
    size_t usable_len = RTE_ALIGN(len + SPARE_LEN, PAGE_LEN);
    heap->name = name;
    heap->len = usable_len + PAGE_LEN;
    heap->bytes = mmap(NULL, heap->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (heap->bytes == MAP_FAILED)
        fail("no memory for a table of DPDK's");
    uint8_t *start = RTE_PTR_ALIGN(heap->bytes, PAGE_LEN);
    (void)madvise(start, usable_len, MADV_HUGEPAGE); // a wish: works without
    if (rte_malloc_heap_create(heap->name) != 0 ||
        rte_malloc_heap_memory_add(heap->name, start, usable_len, NULL, 0, PAGE_LEN) != 0)
        fail("no heap for a table of DPDK's");
    heap->socket = rte_malloc_heap_get_socket(heap->name);
}

size_t hash_heap_used(const struct hash_heap *heap)
{
    struct rte_malloc_socket_stats stats;
    if (rte_malloc_get_socket_stats(heap->socket, &stats) != 0)
        fail("no heap named %s", heap->name);
    return stats.heap_allocsz_bytes;
}

void hash_heap_destroy(struct hash_heap *heap)
{
    uint8_t *start = RTE_PTR_ALIGN(heap->bytes, PAGE_LEN);
    if (rte_malloc_heap_memory_remove(heap->name, start, heap->len - PAGE_LEN) != 0 ||
        rte_malloc_heap_destroy(heap->name) != 0)
        fail("a table of DPDK's is left over");
    munmap(heap->bytes, heap->len);
    memset(heap, 0, sizeof(*heap));
}
