// SPDX-License-Identifier: BSD-3-Clause
// Where the worker's big tables stand: in hugepages when there are any, in ordinary memory
// otherwise.
#pragma once

#include <stddef.h>

struct table_memory {
    void *bytes; // zeroed, aligned to at least 128
    size_t len;
    int from_hugepages;
};

// 0 or -ENOMEM. socket: NUMA node or SOCKET_ID_ANY.
int table_memory_take(size_t len, int socket, struct table_memory *ret_memory);
// Harmless on memory that was zeroed and never taken.
void table_memory_give(struct table_memory *memory);
