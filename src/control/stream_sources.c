// SPDX-License-Identifier: BSD-3-Clause
// A map from sources to counts, as large as there can be connections.
#include "control/stream_sources.h"

#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stream_source {
    uint32_t count; // the pool's word while there is none
    struct ip_address ip;
};

int stream_sources_init(struct stream_sources *sources, uint32_t capacity, uint32_t max)
{
    struct siphash_key key;

    random_fill(&random_system, &key, sizeof(key));
    sources->max = max;
    sources->sources = calloc(capacity, sizeof(*sources->sources));
    if (!sources->sources)
        return -ENOMEM;
    index_pool_init_in(&sources->pool, sources->sources, sizeof(*sources->sources), capacity);
    if (index_map_init(&sources->map, capacity, &key) != 0) {
        free(sources->sources);
        sources->sources = NULL;
        return -ENOMEM;
    }
    return 0;
}

void stream_sources_done(struct stream_sources *sources)
{
    index_map_done(&sources->map);
    free(sources->sources);
}

static struct ip_address source_of(const struct ip_address *ip)
{
    struct ip_address source = *ip;

    if (source.family == IP_FAMILY_V6)
        memset(source.bytes + 8, 0, 8);
    return source;
}

static uint32_t find(const struct stream_sources *sources, const struct ip_address *source,
                     uint32_t hash)
{
    struct index_map_walk walk;
    uint32_t index = index_map_first(&sources->map, hash, &walk);

    while (index != INDEX_NONE && !ip_address_equal(&sources->sources[index].ip, source))
        index = index_map_next(&sources->map, &walk);
    return index;
}

bool stream_sources_take(struct stream_sources *sources, const struct ip_address *ip)
{
    const struct ip_address source = source_of(ip);
    uint32_t hash = index_map_hash(&sources->map, &source, sizeof(source));
    uint32_t index = find(sources, &source, hash);

    if (index == INDEX_NONE) {
        index = index_pool_take(&sources->pool);
        sources->sources[index] = (struct stream_source){.ip = source};
        index_map_insert(&sources->map, hash, index);
    }
    if (sources->max > 0 && sources->sources[index].count == sources->max)
        return false;
    sources->sources[index].count++;
    return true;
}

void stream_sources_give(struct stream_sources *sources, const struct ip_address *ip)
{
    const struct ip_address source = source_of(ip);
    uint32_t hash = index_map_hash(&sources->map, &source, sizeof(source));
    uint32_t index = find(sources, &source, hash);

    if (--sources->sources[index].count > 0)
        return;
    index_map_remove(&sources->map, hash, index);
    index_pool_give(&sources->pool, index);
}
