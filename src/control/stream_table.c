// SPDX-License-Identifier: BSD-3-Clause
// An array that takes memory as it fills, and a keyed map: clients choose their ports, and behind a
// proxy they may choose more.
#include "control/stream_table.h"

#include "base/random.h"
#include "control/stream_thread_state.h"

#include <errno.h>
#include <stdlib.h>

static_assert(sizeof(struct client_key) == 22, "no padding: compared and hashed as bytes");

int stream_table_init(struct stream_table *table, uint32_t capacity)
{
    struct siphash_key key;

    random_fill(&random_system, &key, sizeof(key));
    table->connections = calloc(capacity, sizeof(*table->connections));
    if (!table->connections)
        return -ENOMEM;
    index_pool_init_in(&table->pool, table->connections, sizeof(*table->connections), capacity);
    if (index_map_init(&table->map, capacity, &key) != 0) {
        free(table->connections);
        table->connections = NULL;
        return -ENOMEM;
    }
    return 0;
}

void stream_table_done(struct stream_table *table)
{
    index_map_done(&table->map);
    free(table->connections);
}

struct stream_connection *stream_table_take(struct stream_table *table)
{
    uint32_t index = index_pool_take(&table->pool);

    if (index == INDEX_NONE)
        return NULL;
    table->connections[index] = (struct stream_connection){0};
    return &table->connections[index];
}

uint32_t stream_table_index(const struct stream_table *table,
                            const struct stream_connection *connection)
{
    return (uint32_t)(connection - table->connections);
}

void stream_table_give(struct stream_table *table, struct stream_connection *connection)
{
    index_pool_give(&table->pool, stream_table_index(table, connection));
}

static uint32_t hash_of(const struct stream_table *table, const struct client_key *client)
{
    return index_map_hash(&table->map, client, sizeof(*client));
}

struct stream_connection *stream_table_find(const struct stream_table *table,
                                            const struct client_key *client)
{
    struct index_map_walk walk;
    uint32_t index = index_map_first(&table->map, hash_of(table, client), &walk);

    while (index != INDEX_NONE &&
           memcmp(&table->connections[index].client, client, sizeof(*client)) != 0)
        index = index_map_next(&table->map, &walk);
    return index == INDEX_NONE ? NULL : &table->connections[index];
}

void stream_table_insert(struct stream_table *table, const struct stream_connection *connection)
{
    index_map_insert(&table->map, hash_of(table, &connection->client),
                     stream_table_index(table, connection));
}

void stream_table_remove(struct stream_table *table, const struct stream_connection *connection)
{
    index_map_remove(&table->map, hash_of(table, &connection->client),
                     stream_table_index(table, connection));
}
