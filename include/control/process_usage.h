// SPDX-License-Identifier: BSD-3-Clause
// What this process takes of the machine, as the kernel says it in /proc.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
    double cpu_s;
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    double start_s; // since the epoch
    uint64_t max_files;
    uint64_t open_files; // 0: not known, for a kernel before Linux 6.2 has to be asked file by file
};

// 0 or -errno.
int process_usage_get(struct process_usage *ret_usage);
