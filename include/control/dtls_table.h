// SPDX-License-Identifier: BSD-3-Clause
// Where a thread keeps the DTLS associations of its clients: found by client, and in lists by state, in the order in
// which they got there.
#pragma once

#include "base/index_map.h"
#include "base/index_pool.h"
#include "control/dtls_association.h"

#include <stdbool.h>
#include <stdint.h>

enum dtls_state {
    DTLS_HALF_OPEN, // in a handshake
    DTLS_QUIET, // open, and nothing is known of an allocation
    DTLS_OPEN,
    DTLS_ENDED, // the control plane has yet to hear of it
    DTLS_STATE_COUNT,
};

struct dtls_place {
    struct dtls_association association;
    uint64_t hello; // the ClientHello that it began with, as a hash of its random bytes
    uint64_t began_ms;
    uint32_t active_s; // when there was traffic
    uint16_t state;    // enum dtls_state
    bool is_swollen;   // its buffers are to be given back
    uint32_t previous; // in the list of its state
    uint32_t next;
};

struct dtls_list {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct dtls_table {
    struct dtls_place *places;
    struct index_pool pool;
    struct index_map by_client;
    struct dtls_list lists[DTLS_STATE_COUNT];
};

// 0, -ENOMEM.
int dtls_table_init(struct dtls_table *table, uint32_t capacity);
// Empty.
void dtls_table_done(struct dtls_table *table);

// A client may have one in each state, and several that ended. NULL: none.
struct dtls_place *dtls_table_find(const struct dtls_table *table, const struct client_key *client,
                                   enum dtls_state state);
// NULL: full. All zero but the client, and half open.
struct dtls_place *dtls_table_insert(struct dtls_table *table, const struct client_key *client);
void dtls_table_move(struct dtls_table *table, struct dtls_place *place, enum dtls_state state);
void dtls_table_remove(struct dtls_table *table, struct dtls_place *place);

// NULL: none, no more.
struct dtls_place *dtls_table_first(const struct dtls_table *table, enum dtls_state state);
struct dtls_place *dtls_table_next(const struct dtls_table *table, const struct dtls_place *place);

static inline uint32_t dtls_table_index(const struct dtls_table *table, const struct dtls_place *place)
{
    return (uint32_t)(place - table->places);
}
