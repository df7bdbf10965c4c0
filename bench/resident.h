// SPDX-License-Identifier: BSD-3-Clause
// How much memory this process has touched: what tables that are made at their full size really
// cost.
#pragma once

#include <stdint.h>

// Bytes.
int64_t resident_len(void);
