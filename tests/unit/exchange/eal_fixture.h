// SPDX-License-Identifier: BSD-3-Clause
// A DPDK environment that needs neither root nor hugepages, and touches nothing outside the
// process.
#pragma once

#include <rte_eal.h>

// 0, or -1 when the EAL does not start.
static inline int eal_start(void)
{
    const char *const arguments[] = {
        "test", "--no-huge",   "--no-pci",       "-m",          "256",  "-l",
        "0",    "--no-shconf", "--no-telemetry", "--log-level", "error"};
    char *argv[sizeof(arguments) / sizeof(arguments[0])];
    int argc = 0;
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
        argv[argc++] = (char *)(uintptr_t)arguments[i];
    return rte_eal_init(argc, argv) < 0 ? -1 : 0;
}
