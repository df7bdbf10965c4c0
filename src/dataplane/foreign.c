// SPDX-License-Identifier: BSD-3-Clause
// Plain datagrams that landed on another worker than their owner. Right and wrong come in no order,
// so that they are told apart without a branch.
#include "dataplane/foreign.h"

#include "base/bytes.h"
#include "base/port_slice.h"
#include "dataplane/handoff.h"

#include <rte_prefetch.h>

static __rte_always_inline void peers_part(enum ip_family family, struct worker *worker,
                                           struct plain_peers *peers, unsigned from)
{
    uint16_t owners[WORKER_BURST];
    struct rte_mbuf *frames[WORKER_BURST];
    const struct relay_slot *slots[WORKER_BURST];
    uint16_t worker_count = worker->config->worker_count;
    unsigned own = from, others = 0;
    for (unsigned i = from; i < peers->count; i++) {
        struct rte_mbuf *frame = peers->frames[i];
        const struct relay_slot *slot = peers->slots[i];
        uint16_t port = load_be16(plain_ip_of(frame) + plain_ip_len(family) + 2);
        uint16_t owner = port_slice_worker(port, worker_count);
        uint32_t is_other = owner != worker->id;
        __asm__("" : "+r"(is_other)); // or the compiler makes a branch of it
        peers->frames[own] = frame;
        peers->slots[own] = slot;
        frames[others] = frame;
        slots[others] = slot;
        owners[others] = owner;
        own += is_other ^ 1;
        others += is_other;
    }
    peers->count = own;
    worker_count_add(worker, COUNTER_FOREIGN_PEERS, others);
    uint32_t stamp = handoff_stamp(worker);
    for (unsigned i = 0; i < others; i++) {
        uint32_t slot = tables_slot_number(&worker->tables, slots[i]);
        handoff_send_stamped(worker, owners[i], handoff_peer(family, frames[i], slot), stamp);
    }
}

void foreign_peers(struct worker *worker, enum ip_family family, struct plain_peers *peers,
                   unsigned from)
{
    if (family == IP_FAMILY_V4)
        peers_part(IP_FAMILY_V4, worker, peers, from);
    else
        peers_part(IP_FAMILY_V6, worker, peers, from);
}

// Clients. As in every lookup, what one stage fetches is there in the next. A steering is where its
// client's first channel would be (FLOW_STEERING_NUMBER_BE), so that for most it is in the bucket
// that their channel has been looked for in.

// In the second word of a key: what tells a client's steering from its channels.
#define OTHER_BITS (STEERING_NUMBER_MASK | (uint64_t)UINT8_MAX << FLOW_KEY_KIND_SHIFT)

#define STEERING_BITS                                                                              \
    (flow_key_type(FLOW_KEY_STEERING, 0) | (uint64_t)FLOW_STEERING_NUMBER_BE                       \
                                               << FLOW_KEY_NUMBER_SHIFT)

// Whether what was found may be a client's steering. It has been fetched with the channel that
// could have been found instead. A channel comes before a steering: where another entry could have
// this hash, there is no guess.
static __rte_always_inline bool is_guess(const struct steering_table *steerings,
                                         const struct plain_client *way)
{
    return table_steering_index(way->value) < steerings->pool.capacity &&
           ((way->hits & (way->hits - 1)) | way->bucket->passed) == 0;
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

static __rte_always_inline void hand_on(enum ip_family family, struct worker *worker,
                                        const struct plain_client *way,
                                        const struct steering *steering, struct rte_mbuf *frame,
                                        uint32_t stamp)
{
    uint32_t bucket = (uint32_t)(way->bucket - worker->tables.flows.buckets);
    handoff_send_stamped(worker, steering_owner(steering),
                         handoff_client(family, frame, bucket, flow_table_tag(way->hash)), stamp);
}

// Those that are steered go.
static __rte_always_inline void known_hand_on(enum ip_family family, struct worker *worker,
                                              const struct plain_choice *clients,
                                              struct plain_choice *ret_others)
{
    const struct steering_table *steerings = &worker->tables.steerings;
    uint32_t stamp = handoff_stamp(worker);
    ret_others->count = 0;
    for (unsigned i = 0; i < clients->count; i++) {
        struct plain_client *way = clients->ways[i];
        struct rte_mbuf *frame = clients->frames[i];
        const struct steering *steering = &steerings->at[table_steering_index(way->value)];
        if (likely(is_guess(steerings, way) && is_steered(family, way, steering, frame))) {
            hand_on(family, worker, way, steering, frame, stamp);
            continue;
        }
        ret_others->frames[ret_others->count] = frame;
        ret_others->ways[ret_others->count++] = way;
    }
}

// Those whose channel is not their first; that channel is certainly not here.

struct others {
    struct plain_choice clients;
    uint64_t hashes[WORKER_BURST]; // of their steerings
    const struct steering *steerings[WORKER_BURST];
};

static __rte_always_inline void others_hash(enum ip_family family, const struct flow_table *flows,
                                            struct others *others, struct plain_list *rest)
{
    struct plain_choice *clients = &others->clients;
    uint64_t hashes[WORKER_BURST];
    uint32_t values[WORKER_BURST];
    unsigned count = clients->count;
    for (unsigned i = 0; i < count; i++)
        hashes[i] = clients->ways[i]->hash;
    flow_table_find(flows, hashes, count, values);
    clients->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct plain_client *way = clients->ways[i];
        struct rte_mbuf *frame = clients->frames[i];
        if (unlikely(values[i] != FLOW_NONE)) {
            plain_list_add(rest, frame);
            continue;
        }
        struct flow_key key = {
            .words = {way->words[0], (way->words[1] & ~OTHER_BITS) | STEERING_BITS}};
        if (family == IP_FAMILY_V6)
            memcpy(key.ip, plain_ip_of(frame) + 8, sizeof(key.ip));
        uint64_t hash = flow_table_hash_of(flows, &key);
        rte_prefetch0(flow_table_home(flows, hash));
        others->hashes[clients->count] = hash;
        clients->ways[clients->count] = way;
        clients->frames[clients->count++] = frame;
    }
}

static void others_find(const struct tables *tables, struct others *others)
{
    const struct steering_table *steerings = &tables->steerings;
    for (unsigned i = 0; i < others->clients.count; i++) {
        uint64_t hash = others->hashes[i];
        uint32_t index = tables_guess(flow_table_home(&tables->flows, hash), hash,
                                      TABLE_VALUE_STEERING, steerings->pool.capacity);
        others->steerings[i] = &steerings->at[index];
        rte_prefetch0(others->steerings[i]);
    }
}

static __rte_always_inline void others_hand_on(enum ip_family family, struct worker *worker,
                                               const struct others *others, struct plain_list *rest)
{
    for (unsigned i = 0; i < others->clients.count; i++) {
        const struct plain_client *way = others->clients.ways[i];
        struct rte_mbuf *frame = others->clients.frames[i];
        if (likely(is_steered(family, way, others->steerings[i], frame)))
            hand_on(family, worker, way, others->steerings[i], frame, handoff_stamp(worker));
        else
            plain_list_add(rest, frame);
    }
}

static __rte_always_inline void clients_part(enum ip_family family, struct worker *worker,
                                             const struct plain_choice *clients,
                                             struct plain_list *rest)
{
    struct others others;
    known_hand_on(family, worker, clients, &others.clients);
    if (likely(others.clients.count == 0))
        return;
    others_hash(family, &worker->tables.flows, &others, rest);
    others_find(&worker->tables, &others);
    others_hand_on(family, worker, &others, rest);
}

void foreign_clients(struct worker *worker, enum ip_family family,
                     const struct plain_choice *clients, struct plain_list *rest)
{
    if (family == IP_FAMILY_V4)
        clients_part(IP_FAMILY_V4, worker, clients, rest);
    else
        clients_part(IP_FAMILY_V6, worker, clients, rest);
}
