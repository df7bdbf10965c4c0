// SPDX-License-Identifier: BSD-3-Clause
// One lcore, no devices, nothing in the file system.
#include "eal.h"

#include "fail.h"

#include <rte_common.h>
#include <rte_eal.h>
#include <sched.h>
#include <stdio.h>

void eal_begin(bool hugepages)
{
    char lcores[32];
    char *arguments[] = {"bench",
                         lcores,
                         "--no-pci",
                         "--no-telemetry",
                         "--log-level=4",
                         "--no-shconf",
                         hugepages ? "--in-memory" : "--no-huge",
                         "-m",
                         "256",
                         NULL};
    snprintf(lcores, sizeof(lcores), "--lcores=0@%d", sched_getcpu());
    if (rte_eal_init((int)RTE_DIM(arguments) - 1, arguments) < 0)
        fail("the EAL does not start%s", hugepages ? ": are there free huge pages?" : "");
}
