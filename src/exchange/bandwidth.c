// SPDX-License-Identifier: BSD-3-Clause
// For those who must not know DPDK.
#include "exchange/bandwidth.h"

#include <rte_cycles.h>

uint64_t bandwidth_now_tsc(void)
{
    return rte_rdtsc();
}
