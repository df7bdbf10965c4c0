// SPDX-License-Identifier: BSD-3-Clause
// Usernames, each kept once however many allocations it has: a bounded table of counted strings.
#pragma once

#include "base/bytes.h"
#include "base/index_map.h"
#include "base/index_pool.h"

#include <stdint.h>

struct name {
    char *text; // terminated
    uint32_t len;
    uint32_t references;
};

struct name_table {
    struct name *names;
    struct index_pool pool;
    struct index_map by_text;
};

// capacity: names at once. 0, -ENOMEM.
int name_table_init(struct name_table *table, uint32_t capacity, const struct siphash_key *key);
void name_table_done(struct name_table *table);

// INDEX_NONE when nobody holds the name.
uint32_t name_table_find(const struct name_table *table, struct span text);
// One more reference. INDEX_NONE when the table or memory is full. text has no terminator in it.
uint32_t name_table_take(struct name_table *table, struct span text);
// One reference less; without any the name is gone.
void name_table_give(struct name_table *table, uint32_t name);

static inline const char *name_table_text(const struct name_table *table, uint32_t name)
{
    return table->names[name].text;
}
