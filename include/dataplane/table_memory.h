// SPDX-License-Identifier: BSD-3-Clause
// Where the worker's big tables stand: in hugepages when there are any, in ordinary memory
// otherwise.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_memory {
    void *bytes; // zeroed, aligned to at least 128
    size_t len;
    int from_hugepages;
};

// 0 or -ENOMEM. socket: NUMA node or SOCKET_ID_ANY.
int table_memory_take(size_t len, int socket, struct table_memory *ret_memory);
// Harmless on memory that was zeroed and never taken.
void table_memory_give(struct table_memory *memory);

// One block for many arrays: the same cuts are made twice, first to measure, then for good.
struct table_cutter {
    uint8_t *base; // NULL while measuring
    size_t len;    // cut so far
};

// The next array, aligned as the block is; NULL while measuring.
void *table_cut(struct table_cutter *cutter, size_t element_len, size_t count);
