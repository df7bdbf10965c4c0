// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment for a benchmark that has no devices.
#pragma once

#include <stdbool.h>

// On the CPU where we are: the cheapest place, and the one that the caller may have chosen. Ends the process when it
// does not start.
void eal_begin(bool hugepages);
