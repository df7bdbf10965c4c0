// SPDX-License-Identifier: BSD-3-Clause
// How busy a CPU is, whoever keeps it so (/proc/stat).
#pragma once

#include <stdint.h>

struct busy {
    int cpu;
    uint64_t idle, all; // since the machine started, in the kernel's ticks
};

// cpu -1: nothing is known of it.
struct busy busy_since_now(int cpu);
// 0..1 since then, or -1.
double busy_share(const struct busy *since);
