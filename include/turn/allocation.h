// SPDX-License-Identifier: BSD-3-Clause
// Allocations in an array, found by 5-tuple or id (RFC 8656 section 6). A dual allocation is one
// with two relayed addresses.
#pragma once

#include "base/index_map.h"
#include "base/index_pool.h"
#include "proto/five_tuple.h"
#include "proto/integrity.h"
#include "proto/stun.h"
#include "turn/command.h"

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
    uint16_t state;   // enum relayed_state
    uint16_t refused; // the ADDRESS-ERROR-CODE that the Allocate answered for this family, 0: none
};

enum allocation_state {
    ALLOCATION_FREE,
    ALLOCATION_LIVE,
    ALLOCATION_RETIRED, // out of every lookup; its id waits for acknowledgements
};

struct allocation {
    struct five_tuple five_tuple;
    uint32_t id;
    struct relayed relayed[RELAYED_COUNT];
    uint16_t worker;      // owner of the ports
    uint16_t received_by; // worker that gets the client's packets
    uint32_t permissions; // first of its list, INDEX_NONE
    uint32_t channels;
    uint32_t permission_count;
    uint32_t channel_count;
    uint32_t username; // in turn_server.usernames
    uint32_t user;     // in turn_server.quota
    uint64_t created_ms;
    struct integrity_key key; // never the password (RFC 8656 section 6)
    uint8_t state;            // enum allocation_state
    uint8_t algorithm;        // enum stun_password_algorithm: what the key was made with
    uint8_t acknowledgements; // that are awaited
    bool has_reservation;     // the Allocate answered with reservation_token
    uint8_t reservation_token[8];
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN]; // of the Allocate that made it: to know its retransmissions
};

struct allocation_table {
    struct allocation *at; // by id
    struct index_pool ids;
    struct index_map by_five_tuple;
    uint32_t *count_by_worker; // retired ones included: the worker may still hold them
    uint32_t limit_per_worker;
    uint32_t live_count;
};

// 0, -ENOMEM.
int allocation_table_init(struct allocation_table *table, uint32_t capacity,
                          uint32_t limit_per_worker, uint16_t worker_count,
                          const struct siphash_key *key);
void allocation_table_done(struct allocation_table *table);

// The live allocation of this client, or NULL.
struct allocation *allocation_find(const struct allocation_table *table,
                                   const struct five_tuple *five_tuple);
// By id, live; or NULL.
struct allocation *allocation_get(const struct allocation_table *table, uint32_t id);

bool allocation_table_has_room(const struct allocation_table *table, uint16_t worker);
// There is room and no allocation of this 5-tuple. Everything but 5-tuple, id and worker is zero,
// its lists are empty.
struct allocation *allocation_create(struct allocation_table *table,
                                     const struct five_tuple *five_tuple, uint16_t worker);
// Its lists are empty. The key is cleansed.
void allocation_retire(struct allocation_table *table, struct allocation *allocation);
// Nothing is awaited any more: the id may be used again.
void allocation_release(struct allocation_table *table, struct allocation *allocation);

static inline bool allocation_has_family(const struct allocation *allocation, enum ip_family family)
{
    return family != IP_FAMILY_NONE &&
           allocation->relayed[relayed_slot_of(family)].state == RELAYED_LIVE;
}
