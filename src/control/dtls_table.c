// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_table.h. Clients choose their addresses: the key of the map is random.
#include "control/dtls_table.h"

#include "base/random.h"

#include <errno.h>
#include <stdlib.h>

int dtls_table_init(struct dtls_table *table, uint32_t capacity)
{
    struct dtls_table made = {.places = calloc(capacity, sizeof(*made.places))};
    struct siphash_key key;

    random_fill(&random_system, &key, sizeof(key));
    if (!made.places || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_client, capacity, &key) != 0) {
        dtls_table_done(&made);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < DTLS_STATE_COUNT; i++)
        made.lists[i] = (struct dtls_list){.first = INDEX_NONE, .last = INDEX_NONE};
    *table = made;
    return 0;
}

void dtls_table_done(struct dtls_table *table)
{
    free(table->places);
    index_pool_done(&table->pool);
    index_map_done(&table->by_client);
}

static struct dtls_place *place_at(const struct dtls_table *table, uint32_t index)
{
    return index == INDEX_NONE ? NULL : &table->places[index];
}

static uint32_t hash_of(const struct dtls_table *table, const struct client_key *client)
{
    return index_map_hash(&table->by_client, client, sizeof(*client));
}

struct dtls_place *dtls_table_find(const struct dtls_table *table, const struct client_key *client,
                                   enum dtls_state state)
{
    struct index_map_walk walk;
    uint32_t index = index_map_first(&table->by_client, hash_of(table, client), &walk);

    while (index != INDEX_NONE) {
        struct dtls_place *place = &table->places[index];

        if (place->state == state &&
            memcmp(&place->association.client, client, sizeof(*client)) == 0)
            return place;
        index = index_map_next(&table->by_client, &walk);
    }
    return NULL;
}

static void append(struct dtls_table *table, struct dtls_place *place, enum dtls_state state)
{
    struct dtls_list *list = &table->lists[state];
    struct dtls_place *last = place_at(table, list->last);
    uint32_t index = dtls_table_index(table, place);

    place->state = (uint16_t)state;
    place->previous = list->last;
    place->next = INDEX_NONE;
    if (last)
        last->next = index;
    else
        list->first = index;
    list->last = index;
    list->count++;
}

static void take_out(struct dtls_table *table, struct dtls_place *place)
{
    struct dtls_list *list = &table->lists[place->state];
    struct dtls_place *previous = place_at(table, place->previous);
    struct dtls_place *next = place_at(table, place->next);

    *(previous ? &previous->next : &list->first) = place->next;
    *(next ? &next->previous : &list->last) = place->previous;
    list->count--;
}

struct dtls_place *dtls_table_insert(struct dtls_table *table, const struct client_key *client)
{
    uint32_t index = index_pool_take(&table->pool);
    struct dtls_place *place = place_at(table, index);

    if (!place)
        return NULL;
    *place = (struct dtls_place){.association.client = *client};
    index_map_insert(&table->by_client, hash_of(table, client), index);
    append(table, place, DTLS_HALF_OPEN);
    return place;
}

void dtls_table_move(struct dtls_table *table, struct dtls_place *place, enum dtls_state state)
{
    take_out(table, place);
    append(table, place, state);
}

void dtls_table_remove(struct dtls_table *table, struct dtls_place *place)
{
    uint32_t index = dtls_table_index(table, place);

    take_out(table, place);
    index_map_remove(&table->by_client, hash_of(table, &place->association.client), index);
    index_pool_give(&table->pool, index);
}

struct dtls_place *dtls_table_first(const struct dtls_table *table, enum dtls_state state)
{
    return place_at(table, table->lists[state].first);
}

struct dtls_place *dtls_table_next(const struct dtls_table *table, const struct dtls_place *place)
{
    return place_at(table, place->next);
}
