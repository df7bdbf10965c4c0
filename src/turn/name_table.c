// SPDX-License-Identifier: BSD-3-Clause
// See turn/name_table.h.
#include "turn/name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int name_table_init(struct name_table *table, uint32_t capacity, const struct siphash_key *key)
{
    struct name_table made = {.names = calloc(capacity ? capacity : 1, sizeof(*made.names))};
    if (made.names == NULL || index_pool_init(&made.pool, capacity) != 0 ||
        index_map_init(&made.by_text, capacity, key) != 0) {
        name_table_done(&made);
        return -ENOMEM;
    }
    *table = made;
    return 0;
}

void name_table_done(struct name_table *table)
{
    for (uint32_t name = 0; name < table->pool.fresh; name++)
        free(table->names[name].text);
    free(table->names);
    index_pool_done(&table->pool);
    index_map_done(&table->by_text);
    memset(table, 0, sizeof(*table));
}

static uint32_t find(const struct name_table *table, struct span text, uint32_t hash)
{
    struct index_map_walk walk;
    uint32_t name = index_map_first(&table->by_text, hash, &walk);
    while (name != INDEX_NONE && (table->names[name].len != text.len ||
                                  memcmp(table->names[name].text, text.data, text.len) != 0))
        name = index_map_next(&table->by_text, &walk);
    return name;
}

uint32_t name_table_find(const struct name_table *table, struct span text)
{
    return find(table, text, index_map_hash(&table->by_text, text.data, text.len));
}

static uint32_t create(struct name_table *table, struct span text, uint32_t hash)
{
    if (index_pool_free(&table->pool) == 0)
        return INDEX_NONE;
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return INDEX_NONE;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    uint32_t name = index_pool_take(&table->pool);
    table->names[name] = (struct name){.text = copy, .len = (uint32_t)text.len};
    index_map_insert(&table->by_text, hash, name);
    return name;
}

uint32_t name_table_take(struct name_table *table, struct span text)
{
    uint32_t hash = index_map_hash(&table->by_text, text.data, text.len);
    uint32_t name = find(table, text, hash);
    if (name == INDEX_NONE)
        name = create(table, text, hash);
    if (name != INDEX_NONE)
        table->names[name].references++;
    return name;
}

void name_table_give(struct name_table *table, uint32_t name)
{
    struct name *at = &table->names[name];
    if (--at->references > 0)
        return;
    index_map_remove(&table->by_text, index_map_hash(&table->by_text, at->text, at->len), name);
    free(at->text);
    at->text = NULL;
    index_pool_give(&table->pool, name);
}
