// SPDX-License-Identifier: BSD-3-Clause
// How many connections each source has: an IPv4 address, or the /64 that an IPv6 host can choose addresses from.
#pragma once

#include "base/address.h"
#include "base/index_map.h"

#include <stdbool.h>
#include <stdint.h>

struct stream_source;

struct stream_sources {
    struct stream_source *sources;
    struct index_pool pool;
    struct index_map map;
    uint32_t max; // of one source, 0: any number
};

// capacity: connections in all. 0, -ENOMEM.
int stream_sources_init(struct stream_sources *sources, uint32_t capacity, uint32_t max);
void stream_sources_done(struct stream_sources *sources);

// One more of that source. False: it has as many as it may.
bool stream_sources_take(struct stream_sources *sources, const struct ip_address *ip);
// One less; it was taken.
void stream_sources_give(struct stream_sources *sources, const struct ip_address *ip);
