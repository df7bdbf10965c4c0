// SPDX-License-Identifier: BSD-3-Clause
// How often one source prefix gets an answer without credentials, so that a forged source draws
// little upon its victim: a token bucket for each /24 and /56, in a table of fixed size under a
// keyed hash.
#pragma once

#include "base/siphash.h"
#include "dataplane/table_memory.h"

#include <stdbool.h>
#include <stdint.h>

#define RATE_LIMITER_KEYS 5

struct rate_limiter_set;

struct rate_limiter {
    struct rate_limiter_set *sets;
    uint64_t mask;
    uint64_t interval_tsc; // one answer's share of time; 0: unlimited
    uint64_t burst_tsc;
    struct table_memory memory;
    struct siphash_key keys[RATE_LIMITER_KEYS] __attribute__((aligned(16))); // of the hash
    bool has_aes; // this CPU has
};

// answers_per_second 0: unlimited. 0 or -ENOMEM.
int rate_limiter_init(struct rate_limiter *limiter, uint32_t answers_per_second, uint32_t burst,
                      uint64_t tsc_hz, int socket);
// Another rate from now on: nobody has had an answer yet.
void rate_limiter_set(struct rate_limiter *limiter, uint32_t answers_per_second, uint32_t burst,
                      uint64_t tsc_hz);
void rate_limiter_done(struct rate_limiter *limiter);

// May this source have an answer now? If so, it is taken as given. family: enum ip_family.
bool rate_limiter_allows(struct rate_limiter *limiter, uint8_t family, const uint8_t *ip,
                         uint64_t now_tsc);
