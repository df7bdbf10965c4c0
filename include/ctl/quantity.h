// SPDX-License-Identifier: BSD-3-Clause
// Numbers as people read them: three figures and a unit.
#pragma once

#include <stdint.h>

enum quantity {
    QUANTITY_NUMBER,   // as it is: an id, a CPU
    QUANTITY_COUNT,    // 1234567: 1.23 M
    QUANTITY_BYTES,    // 1234567: 1.23 MB
    QUANTITY_PACKET_S, // 1234567: 1.23 Mpps
    QUANTITY_BIT_S,    // 1234567: 1.23 Mbit/s
    QUANTITY_SECONDS,  // 3723: 1 h 02 m
    QUANTITY_TIME,     // seconds since the epoch: 2026-11-22 03:00:31 UTC
    QUANTITY_PERCENT,  // 12: 12 %
};

#define QUANTITY_TEXT_LEN 32

// Writes at most QUANTITY_TEXT_LEN bytes, and returns text.
const char *quantity_format(enum quantity kind, double value, char *text);

// Seconds from "90", "90s", "10m", "1h30m", "2d": each unit once, largest first. -EINVAL for anything else, -ERANGE
// above a year.
int quantity_parse_seconds(const char *text, uint32_t *ret_seconds);
