// SPDX-License-Identifier: BSD-3-Clause
// See turn/tcp_connection.h.
#include "turn/tcp_connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tcp_connection_table_init(struct tcp_connection_table *table, uint32_t capacity,
                              uint32_t limit_per_allocation, const struct siphash_key *key)
{
    struct tcp_connection_table made = {
        .at = calloc(capacity ? capacity : 1, sizeof(*made.at)),
        .limit = capacity,
        .limit_per_allocation = limit_per_allocation,
    };
    if (made.at == NULL || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_id, capacity, key) != 0 ||
        index_map_init(&made.by_client, capacity, key) != 0) {
        tcp_connection_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void tcp_connection_table_done(struct tcp_connection_table *table)
{
    free(table->at);
    index_pool_done(&table->pool);
    index_map_done(&table->by_id);
    index_map_done(&table->by_client);
    memset(table, 0, sizeof(*table));
}

static uint32_t hash_of_id(const struct tcp_connection_table *table, uint32_t id)
{
    return index_map_hash(&table->by_id, &id, sizeof(id));
}

static uint32_t hash_of_client(const struct tcp_connection_table *table,
                               const struct five_tuple *client)
{
    return index_map_hash(&table->by_client, client, sizeof(*client));
}

uint32_t tcp_connection_find(const struct tcp_connection_table *table, uint32_t id)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&table->by_id, hash_of_id(table, id), &walk);
    while (at != INDEX_NONE && table->at[at].id != id)
        at = index_map_next(&table->by_id, &walk);
    return at;
}

uint32_t tcp_connection_find_peer(const struct tcp_connection_table *table,
                                  const struct allocation *allocation,
                                  const struct transport_address *peer)
{
    uint32_t at = allocation->tcp_connections;
    while (at != INDEX_NONE && !transport_address_equal(&table->at[at].peer, peer))
        at = table->at[at].next;
    return at;
}

uint32_t tcp_connection_find_client(const struct tcp_connection_table *table,
                                    const struct five_tuple *client)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&table->by_client, hash_of_client(table, client), &walk);
    while (at != INDEX_NONE && !five_tuple_equal(&table->at[at].client, client))
        at = index_map_next(&table->by_client, &walk);
    return at;
}

bool tcp_connection_table_has_room(const struct tcp_connection_table *table,
                                   const struct allocation *allocation)
{
    return index_pool_used(&table->pool) < table->limit &&
           allocation->tcp_connection_count < table->limit_per_allocation;
}

static uint32_t draw_id(const struct tcp_connection_table *table,
                        const struct random_source *random)
{
    uint32_t id;
    do
        random_fill(random, &id, sizeof(id));
    while (tcp_connection_find(table, id) != INDEX_NONE);
    return id;
}

static void link_first(struct tcp_connection_table *table, struct allocation *allocation,
                       uint32_t connection)
{
    struct tcp_connection *at = &table->at[connection];
    at->previous = INDEX_NONE;
    at->next = allocation->tcp_connections;
    if (at->next != INDEX_NONE)
        table->at[at->next].previous = connection;
    allocation->tcp_connections = connection;
    allocation->tcp_connection_count++;
}

static void unlink_from(struct tcp_connection_table *table, struct allocation *allocation,
                        uint32_t connection)
{
    const struct tcp_connection *at = &table->at[connection];
    if (at->next != INDEX_NONE)
        table->at[at->next].previous = at->previous;
    if (at->previous != INDEX_NONE)
        table->at[at->previous].next = at->next;
    else
        allocation->tcp_connections = at->next;
    allocation->tcp_connection_count--;
}

uint32_t tcp_connection_create(struct tcp_connection_table *table, struct allocation *allocation,
                               const struct transport_address *peer,
                               const struct random_source *random)
{
    uint32_t id = draw_id(table, random);
    uint32_t connection = index_pool_take(&table->pool);
    assert(connection != INDEX_NONE);
    table->at[connection] = (struct tcp_connection){
        .id = id, .allocation = allocation->id, .peer = *peer, .state = TCP_CONNECTION_UNBOUND};
    index_map_insert(&table->by_id, hash_of_id(table, id), connection);
    link_first(table, allocation, connection);
    return connection;
}

void tcp_connection_bind(struct tcp_connection_table *table, uint32_t connection,
                         const struct five_tuple *client)
{
    struct tcp_connection *at = &table->at[connection];
    assert(at->state == TCP_CONNECTION_UNBOUND);
    at->state = TCP_CONNECTION_BOUND;
    at->client = *client;
    index_map_insert(&table->by_client, hash_of_client(table, client), connection);
}

void tcp_connection_destroy(struct tcp_connection_table *table, struct allocation *allocation,
                            uint32_t connection)
{
    struct tcp_connection *at = &table->at[connection];
    if (at->state == TCP_CONNECTION_BOUND)
        index_map_remove(&table->by_client, hash_of_client(table, &at->client), connection);
    index_map_remove(&table->by_id, hash_of_id(table, at->id), connection);
    unlink_from(table, allocation, connection);
    at->state = TCP_CONNECTION_FREE;
    index_pool_give(&table->pool, connection);
}
