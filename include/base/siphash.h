// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson, Bernstein): a keyed 64-bit MAC for short inputs, used where a worker verifies per packet.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len);

// In two steps, for inputs that begin alike: the key and a first word, as it lies in memory;
struct siphash_state {
    uint64_t v0, v1, v2, v3;
};
void siphash_begin(const struct siphash_key *key, uint64_t first, struct siphash_state *ret_state);
// then count words and the lower seven bytes of last: the hash of 8 + 8 * count + 7 bytes.
uint64_t siphash_end(const struct siphash_state *state, const uint64_t *words, size_t count, uint64_t last);
