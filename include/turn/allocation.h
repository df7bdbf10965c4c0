// SPDX-License-Identifier: BSD-3-Clause
// Allocations in an array, found by 5-tuple or id (RFC 8656 section 6). A dual allocation is one
// with two relayed addresses.
#pragma once

#include "base/index_map.h"
#include "base/index_pool.h"
#include "proto/five_tuple.h"
#include "proto/stun.h"
#include "turn/address_store.h"
#include "turn/command.h"
#include "turn/reservation.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum relayed_slot {
    RELAYED_V4,
    RELAYED_V6,
    RELAYED_COUNT,
};

static inline enum relayed_slot relayed_slot_of(enum ip_family family)
{
    return family == IP_FAMILY_V6 ? RELAYED_V6 : RELAYED_V4;
}

static inline enum ip_family relayed_family(enum relayed_slot slot)
{
    return slot == RELAYED_V6 ? IP_FAMILY_V6 : IP_FAMILY_V4;
}

static inline enum relayed_slot relayed_other(enum relayed_slot slot)
{
    return slot == RELAYED_V4 ? RELAYED_V6 : RELAYED_V4;
}

enum relayed_state {
    RELAYED_NONE,
    RELAYED_LIVE,
    RELAYED_REMOVING, // waits for the acknowledgement of its own REMOVE_RELAY
    RELAYED_RETIRED,  // waits for the acknowledgement of REMOVE_ALLOCATION
};

struct relayed {
    struct turn_relayed_address address;
    uint16_t state : 4; // enum relayed_state
    uint16_t
        refused : 12; // the ADDRESS-ERROR-CODE that the Allocate answered for this family, 0: none
};

enum allocation_state {
    ALLOCATION_FREE,
    ALLOCATION_LIVE,
    ALLOCATION_RETIRED, // out of every lookup; its id waits for acknowledgements
};

// A 5-tuple with its addresses in the address store.
struct allocation_tuple {
    uint32_t client;
    uint32_t server;
    uint16_t client_port;
    uint16_t server_port;
    uint8_t client_family;
    uint8_t server_family;
    uint8_t transport; // enum five_tuple_transport
    uint8_t thread;
};

static_assert(sizeof(struct allocation_tuple) == 16, "no padding: hashed as bytes");

struct allocation {
    struct allocation_tuple tuple;
    uint32_t id;
    struct relayed relayed[RELAYED_COUNT];
    uint8_t worker;      // owner of the ports
    uint8_t received_by; // worker that gets the client's packets
    uint8_t state : 6;   // enum allocation_state
    uint8_t is_tcp : 1;  // RFC 6062: its relayed addresses are the kernel's, no worker knows it
    uint8_t has_reservation : 1;
    uint8_t acknowledgements; // that are awaited
    uint32_t permissions;     // roots of their trees, INDEX_NONE
    union {
        uint32_t channels;        // by peer
        uint32_t tcp_connections; // of a TCP allocation, which has no channels: the first of a list
    };
    uint32_t channel_numbers; // the same ones
    uint16_t permission_count;
    union {
        uint16_t channel_count;
        uint16_t tcp_connection_count;
    };
    uint32_t identity;                               // in turn_server.identities
    uint32_t user;                                   // in turn_server.quota
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN]; // of the Allocate that made it: to know its
                                                     // retransmissions
    uint32_t sequence;   // of its session id
    uint32_t started_ds; // tenths of a second of the monotonic clock: 32 bits last for 13 years
};

// What a million of them cost is this.
static_assert(sizeof(struct allocation) == 80, "no padding");

// More than can be numbered.
#define ALLOCATION_IDS_MAX (1u << 30)

struct allocation_table {
    struct allocation *at; // by id
    // By id, of the few that have one: the token that the Allocate answered with.
    uint8_t (*reservation_tokens)[RESERVATION_TOKEN_LEN];
    struct address_store *addresses; // borrowed
    struct index_pool ids;
    struct index_map by_five_tuple;
    uint32_t *count_by_worker; // retired ones included: the worker may still hold them
    uint32_t limit_per_worker;
    uint32_t live_count;
    uint32_t tcp_count; // of the live ones
    uint32_t next_sequence;
};

// capacity: at most ALLOCATION_IDS_MAX. 0, -ENOMEM.
int allocation_table_init(struct allocation_table *table, uint32_t capacity,
                          uint32_t limit_per_worker, uint16_t worker_count,
                          struct address_store *addresses, const struct siphash_key *key);
void allocation_table_done(struct allocation_table *table);

// Fetch what allocation_find() begins with.
void allocation_prefetch(const struct allocation_table *table, const struct five_tuple *five_tuple);
// The live allocation of this client, or NULL.
struct allocation *allocation_find(const struct allocation_table *table,
                                   const struct five_tuple *five_tuple);
// By id, live; or NULL.
struct allocation *allocation_get(const struct allocation_table *table, uint32_t id);

bool allocation_table_has_room(const struct allocation_table *table, uint16_t worker);
// The id that the next one gets; there is room.
uint32_t allocation_next_id(const struct allocation_table *table);
// There is room and no allocation of this 5-tuple. Everything but 5-tuple, id, sequence and worker
// is zero, its lists are empty.
struct allocation *allocation_create(struct allocation_table *table,
                                     const struct five_tuple *five_tuple, uint16_t worker);
struct five_tuple allocation_five_tuple(const struct allocation_table *table,
                                        const struct allocation *allocation);
// Once, of one that lives.
void allocation_set_tcp(struct allocation_table *table, struct allocation *allocation);
// The token that its Allocate is answered with, and was: NULL when there was none.
void allocation_set_reservation_token(struct allocation_table *table, struct allocation *allocation,
                                      const uint8_t token[RESERVATION_TOKEN_LEN]);
const uint8_t *allocation_reservation_token(const struct allocation_table *table,
                                            const struct allocation *allocation);
// Its lists are empty.
void allocation_retire(struct allocation_table *table, struct allocation *allocation);
// Nothing is awaited any more: the id may be used again.
void allocation_release(struct allocation_table *table, struct allocation *allocation);

// A bit for each enum relayed_slot.
static inline unsigned allocation_live_slots(const struct allocation *allocation)
{
    unsigned slots = 0;
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++)
        slots |= (allocation->relayed[slot].state == RELAYED_LIVE ? 1u : 0) << slot;
    return slots;
}

static inline bool allocation_has_family(const struct allocation *allocation, enum ip_family family)
{
    return family != IP_FAMILY_NONE &&
           allocation->relayed[relayed_slot_of(family)].state == RELAYED_LIVE;
}
