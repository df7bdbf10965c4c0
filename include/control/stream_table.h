// SPDX-License-Identifier: BSD-3-Clause
// The connections of a thread: places in an array, and the way to them from a client's address.
#pragma once

#include "base/index_map.h"
#include "exchange/command.h"

#include <stdint.h>

struct stream_connection;

struct stream_table {
    struct stream_connection *connections;
    struct index_pool pool;
    struct index_map map;
};

// 0, -ENOMEM.
int stream_table_init(struct stream_table *table, uint32_t capacity);
void stream_table_done(struct stream_table *table);

// A place, all zero; NULL: all are taken.
struct stream_connection *stream_table_take(struct stream_table *table);
void stream_table_give(struct stream_table *table, struct stream_connection *connection);
uint32_t stream_table_index(const struct stream_table *table, const struct stream_connection *connection);

// NULL: nobody.
struct stream_connection *stream_table_find(const struct stream_table *table, const struct client_key *client);
// By its client, which nobody has and which stays as it is.
void stream_table_insert(struct stream_table *table, const struct stream_connection *connection);
void stream_table_remove(struct stream_table *table, const struct stream_connection *connection);
