// SPDX-License-Identifier: BSD-3-Clause
// Connections between TCP allocations and peers (RFC 6062 section 3), found by CONNECTION-ID, by
// allocation and peer, or by the client's data connection. They are few next to allocations, so an
// allocation keeps its own in a list, and no more than limit_per_allocation.
#pragma once

#include "base/random.h"
#include "turn/allocation.h"

#include <stdbool.h>
#include <stdint.h>

enum tcp_connection_state {
    TCP_CONNECTION_FREE,
    TCP_CONNECTION_CONNECTING, // the Connect has no response yet
    TCP_CONNECTION_UNBOUND,    // the peer's side stands, and waits for a ConnectionBind
    TCP_CONNECTION_BOUND,
};

// What a late response to a Connect is made of.
struct tcp_connect_reply {
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
    uint32_t identity; // whose key it is signed with
    bool answer_sha1;
    bool has_fingerprint;
};

struct tcp_connection {
    uint32_t id;                   // CONNECTION-ID
    uint32_t allocation;           // id
    struct transport_address peer; // as the client knows it
    uint32_t next;                 // of the same allocation, INDEX_NONE
    uint32_t previous;
    enum tcp_connection_state state;
    union {
        struct tcp_connect_reply reply; // CONNECTING
        struct five_tuple client;       // BOUND: its data connection
    };
};

struct tcp_connection_table {
    struct tcp_connection *at;
    struct index_pool pool;
    struct index_map by_id;
    struct index_map by_client;
    uint32_t limit; // of all; at most the capacity
    uint32_t limit_per_allocation;
};

// 0, -ENOMEM.
int tcp_connection_table_init(struct tcp_connection_table *table, uint32_t capacity,
                              uint32_t limit_per_allocation, const struct siphash_key *key);
void tcp_connection_table_done(struct tcp_connection_table *table);

// INDEX_NONE when there is none.
uint32_t tcp_connection_find(const struct tcp_connection_table *table, uint32_t id);
uint32_t tcp_connection_find_peer(const struct tcp_connection_table *table,
                                  const struct allocation *allocation,
                                  const struct transport_address *peer);
uint32_t tcp_connection_find_client(const struct tcp_connection_table *table,
                                    const struct five_tuple *client);

// Room for one more in this allocation?
bool tcp_connection_table_has_room(const struct tcp_connection_table *table,
                                   const struct allocation *allocation);
// There is room, and none to this peer. The id is new and random; the state UNBOUND.
uint32_t tcp_connection_create(struct tcp_connection_table *table, struct allocation *allocation,
                               const struct transport_address *peer,
                               const struct random_source *random);
// An UNBOUND one, to a client that has none.
void tcp_connection_bind(struct tcp_connection_table *table, uint32_t connection,
                         const struct five_tuple *client);
void tcp_connection_destroy(struct tcp_connection_table *table, struct allocation *allocation,
                            uint32_t connection);

static inline bool tcp_connection_is_live(const struct tcp_connection_table *table,
                                          uint32_t connection)
{
    return connection < table->pool.fresh && table->at[connection].state != TCP_CONNECTION_FREE;
}
