// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT's value (RFC 8489 section 14.7): it is on every request of an ICE agent, and on every answer to one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// message: what comes before the attribute, its header's length with the attribute taken into account.
uint32_t fingerprint(const void *message, size_t len);

// Of messages that differ only in some words of eight bytes: what each of these adds depends on its place alone,
// whatever stands around it, for a CRC is linear.
#define FINGERPRINT_WORDS_MAX 6

struct fingerprint_plan {
    uint64_t folds[FINGERPRINT_WORDS_MAX]; // by what each word is multiplied
    uint32_t rest;                         // what all else adds
    bool is_made;
};

// message: one of them, of which FINGERPRINT covers len bytes. offsets: of the words, in ascending order; the last may
// end behind what is covered when nothing there ever changes. Where the processor has no quick way, no plan is made.
void fingerprint_plan_init(const uint8_t *message, size_t len, const uint16_t *offsets, unsigned count,
                           struct fingerprint_plan *ret_plan);
