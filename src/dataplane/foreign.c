// SPDX-License-Identifier: BSD-3-Clause
// Plain datagrams that landed on another worker than their owner. Right and wrong come in no order,
// so that they are told apart without a branch.
#include "dataplane/foreign.h"

#include "base/bytes.h"
#include "base/port_slice.h"
#include "dataplane/handoff.h"

#include <rte_prefetch.h>

static __rte_always_inline void peers_part(enum ip_family family, struct worker *worker,
                                           struct plain_list *peers,
                                           const struct relay_slot **slots)
{
    uint16_t owners[WORKER_BURST];
    struct rte_mbuf *frames[WORKER_BURST];
    const struct relay_slot *their_slots[WORKER_BURST];
    uint16_t worker_count = worker->config->worker_count;
    unsigned own = 0, others = 0;
    for (unsigned i = 0; i < peers->count; i++) {
        struct rte_mbuf *frame = peers->frames[i];
        const struct relay_slot *slot = slots[i];
        uint16_t port = load_be16(plain_ip_of(frame) + plain_ip_len(family) + 2);
        uint16_t owner = port_slice_worker(port, worker_count);
        uint32_t is_other = owner != worker->id;
        __asm__("" : "+r"(is_other)); // or the compiler makes a branch of it
        peers->frames[own] = frame;
        slots[own] = slot;
        frames[others] = frame;
        their_slots[others] = slot;
        owners[others] = owner;
        own += is_other ^ 1;
        others += is_other;
    }
    peers->count = own;
    for (unsigned i = 0; i < others; i++)
        handoff_send(worker, owners[i],
                     (struct handoff){
                         .frame = frames[i],
                         .slot = tables_slot_number(&worker->tables, their_slots[i]),
                         .kind = HANDOFF_PEER,
                         .family = (uint8_t)family,
                     });
}

void foreign_peers(struct worker *worker, enum ip_family family, struct plain_list *peers,
                   const struct relay_slot **slots)
{
    if (family == IP_FAMILY_V4)
        peers_part(IP_FAMILY_V4, worker, peers, slots);
    else
        peers_part(IP_FAMILY_V6, worker, peers, slots);
}

// Clients. As in every lookup, what one stage fetches is there in the next. A steering is where its
// client's first channel would be (FLOW_STEERING_NUMBER_BE), so that for most it is in the bucket
// that their channel has been looked for in.

// In the second word of a key: what tells a client's steering from its channels.
#define OTHER_BITS (STEERING_NUMBER_MASK | (uint64_t)UINT8_MAX << FLOW_KEY_KIND_SHIFT)

#define STEERING_BITS                                                                              \
    (flow_key_type(FLOW_KEY_STEERING, 0) | (uint64_t)FLOW_STEERING_NUMBER_BE                       \
                                               << FLOW_KEY_NUMBER_SHIFT)

static const struct steering nobodys;

// A channel comes before a steering: where another entry could have this hash, there is no guess.
void foreign_clients_fetch(const struct worker *worker, struct plain_clients *clients)
{
    const struct steering_table *steerings = &worker->tables.steerings;
    for (unsigned i = 0; i < clients->count; i++) {
        struct plain_client *way = &clients->ways[i];
        const struct flow_bucket *bucket = way->bucket;
        unsigned hits = flow_bucket_hits(bucket, flow_table_tag(way->hash));
        uint32_t value =
            bucket->values[(unsigned)__builtin_ctz(hits | 1u << (FLOW_BUCKET_SLOTS - 1))];
        uint32_t index = value ^ table_value(TABLE_VALUE_STEERING, 0);
        bool is_guess =
            index < steerings->pool.capacity && ((hits & (hits - 1)) | bucket->passed) == 0;
        way->steering = is_guess ? &steerings->at[index] : &nobodys;
        rte_prefetch0(way->steering);
    }
}

static __rte_always_inline bool is_steered(enum ip_family family, const struct plain_client *way,
                                           const struct steering *steering,
                                           const struct rte_mbuf *frame)
{
    const struct flow_key *key = &steering->client;
    return ((key->words[0] ^ way->words[0]) | ((key->words[1] ^ way->words[1]) & ~OTHER_BITS)) ==
               0 &&
           (family == IP_FAMILY_V4 ||
            memcmp(key->ip, plain_ip_of(frame) + 8, sizeof(key->ip)) == 0);
}

// Those that are steered go.
static __rte_always_inline void hand_on(enum ip_family family, struct worker *worker,
                                        const struct plain_clients *clients,
                                        struct plain_clients *ret_others)
{
    ret_others->count = 0;
    for (unsigned i = 0; i < clients->count; i++) {
        const struct plain_client *way = &clients->ways[i];
        struct rte_mbuf *frame = clients->frames[i];
        if (likely(is_steered(family, way, way->steering, frame))) {
            handoff_send(worker, steering_owner(way->steering), handoff_client(family, frame));
            continue;
        }
        ret_others->frames[ret_others->count] = frame;
        ret_others->ways[ret_others->count++] = *way;
    }
}

// The steering of one whose channel is not its first; that channel is certainly not here.
static __rte_always_inline void others_hash(enum ip_family family, const struct flow_table *flows,
                                            struct plain_clients *others, struct plain_list *rest)
{
    uint64_t hashes[WORKER_BURST];
    uint32_t values[WORKER_BURST];
    unsigned count = others->count;
    for (unsigned i = 0; i < count; i++)
        hashes[i] = others->ways[i].hash;
    flow_table_find(flows, hashes, count, values);
    others->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *frame = others->frames[i];
        if (unlikely(values[i] != FLOW_NONE)) {
            plain_list_add(rest, frame);
            continue;
        }
        struct plain_client *way = &others->ways[others->count];
        *way = others->ways[i];
        struct flow_key key = {
            .words = {way->words[0], (way->words[1] & ~OTHER_BITS) | STEERING_BITS}};
        if (family == IP_FAMILY_V6)
            memcpy(key.ip, plain_ip_of(frame) + 8, sizeof(key.ip));
        way->hash = flow_table_hash_of(flows, &key);
        way->bucket = flow_table_home(flows, way->hash);
        rte_prefetch0(way->bucket);
        others->frames[others->count++] = frame;
    }
}

static void others_find(const struct steering_table *steerings, struct plain_clients *others)
{
    for (unsigned i = 0; i < others->count; i++) {
        struct plain_client *way = &others->ways[i];
        uint32_t index =
            tables_guess(way->bucket, way->hash, TABLE_VALUE_STEERING, steerings->pool.capacity);
        way->steering = &steerings->at[index];
        rte_prefetch0(way->steering);
    }
}

static __rte_always_inline void clients_part(enum ip_family family, struct worker *worker,
                                             const struct plain_clients *clients,
                                             struct plain_list *rest)
{
    struct plain_clients others, unknown;
    hand_on(family, worker, clients, &others);
    if (likely(others.count == 0))
        return;
    others_hash(family, &worker->tables.flows, &others, rest);
    others_find(&worker->tables.steerings, &others);
    hand_on(family, worker, &others, &unknown);
    for (unsigned i = 0; i < unknown.count; i++)
        plain_list_add(rest, unknown.frames[i]);
}

void foreign_clients(struct worker *worker, enum ip_family family,
                     const struct plain_clients *clients, struct plain_list *rest)
{
    if (family == IP_FAMILY_V4)
        clients_part(IP_FAMILY_V4, worker, clients, rest);
    else
        clients_part(IP_FAMILY_V6, worker, clients, rest);
}
