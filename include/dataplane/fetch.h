// SPDX-License-Identifier: BSD-3-Clause
// Lines of a burst brought from memory, all at once.
#pragma once

#include <rte_common.h>
#include <stdint.h>

// A core that tracks as many misses as it can drops what is only a prefetch, and then each packet waits for its own
// lines. It drops no loads, and those that nobody waits for overlap, as far ahead as it looks. So a stage first fetches
// all that it reads, for the whole burst, in a loop of little else: prefetched or not (docs/decisions/0011-loads.md).
// address: of readable memory.
static __rte_always_inline void fetch_line(const void *address)
{
    __asm__ volatile("" : : "r"(*(const volatile uint8_t *)address));
}
