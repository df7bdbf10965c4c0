// SPDX-License-Identifier: BSD-3-Clause
// NUMA nodes as the kernel tells of them, before DPDK is up to ask.
#pragma once

#include <stdbool.h>

// Of a PCI card ("0000:03:00.0"), and of what is behind a network interface of this network
// namespace. Negative: none is known.
int node_of_card(const char *address);
int node_of_interface(const char *interface);

bool node_has_cpu(int node, unsigned cpu);
