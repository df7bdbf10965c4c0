// SPDX-License-Identifier: BSD-3-Clause
// Where the worker's big tables stand. The EAL's heap is of a fixed size without hugepages, so it
// serves only with them; otherwise pages come from the kernel, which is asked for transparent huge
// ones.
#include "dataplane/table_memory.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/mman.h>

#define TABLE_ALIGNMENT 128
#define HUGE_PAGE_LEN   ((size_t)2 << 20)

// What is left over after the last whole huge page would be in small ones, all its life; much of
// the tables, where they are small.
static size_t whole_huge_pages(size_t len)
{
    return len > HUGE_PAGE_LEN / 2 ? (len + HUGE_PAGE_LEN - 1) & ~(HUGE_PAGE_LEN - 1) : len;
}

int table_memory_take(size_t len, int socket, struct table_memory *ret_memory)
{
    struct table_memory memory = {.len = len > 0 ? len : 1};
    if (rte_eal_has_hugepages()) {
        memory.bytes = rte_zmalloc_socket("table", memory.len, TABLE_ALIGNMENT, socket);
        memory.from_hugepages = memory.bytes != NULL;
    }
    if (memory.bytes == NULL) {
        memory.len = whole_huge_pages(memory.len);
        memory.bytes =
            mmap(NULL, memory.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory.bytes == MAP_FAILED)
            return -ENOMEM;
        (void)madvise(memory.bytes, memory.len, MADV_HUGEPAGE); // a wish: works without
    }
    *ret_memory = memory;
    return 0;
}

void table_memory_give(struct table_memory *memory)
{
    if (memory->from_hugepages)
        rte_free(memory->bytes);
    else if (memory->bytes != NULL)
        munmap(memory->bytes, memory->len);
    memset(memory, 0, sizeof(*memory));
}

void *table_cut(struct table_cutter *cutter, size_t element_len, size_t count)
{
    void *piece = cutter->base == NULL ? NULL : cutter->base + cutter->len;
    cutter->len += (element_len * count + TABLE_ALIGNMENT - 1) & ~(size_t)(TABLE_ALIGNMENT - 1);
    return piece;
}
