// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson, Bernstein): a keyed 64-bit MAC for short inputs, used where a worker verifies per packet.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len);

// Of count words and the lower seven bytes of last, as they lie in memory: of 8 * count + 7 bytes.
uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, size_t count, uint64_t last);
