// SPDX-License-Identifier: BSD-3-Clause
// The two clocks. Every expiry uses the monotonic one; the wall clock serves REST credentials and log lines only.
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);

// Seconds since the epoch.
uint64_t clock_wall_s(void);
