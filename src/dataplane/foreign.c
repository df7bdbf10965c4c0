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

// Clients. As in every lookup, what one stage fetches is there in the next.

struct foreign {
    struct flow_key key; // of its steering
    struct rte_mbuf *frame;
    uint64_t hash;
    const struct steering *steering; // that it may have
};

// False: not for a listener.
static __rte_always_inline bool steering_key_of(enum ip_family family, const struct worker *worker,
                                                const struct rte_mbuf *frame,
                                                struct flow_key *ret_key)
{
    const uint8_t *ip = plain_ip_of(frame);
    const uint8_t *udp = ip + plain_ip_len(family);
    ret_key->words[1] = plain_load_u32(udp) | flow_key_type(FLOW_KEY_STEERING, family);
    if (family == IP_FAMILY_V4) {
        ret_key->words[0] =
            plain_load_u64(ip + 12); // another address than a listener's is no key's
        ret_key->ip[0] = 0;
        ret_key->ip[1] = 0;
        return true;
    }
    const struct local_address *local =
        local_addresses_find(&worker->local_v6, ip + 24, 16, load_be16(udp + 2));
    if (local == NULL || local->kind != LOCAL_LISTENER)
        return false;
    ret_key->words[0] = (uint64_t)local->index << 32;
    memcpy(ret_key->ip, ip + 8, sizeof(ret_key->ip));
    return true;
}

// Those whose own key is certainly not here: a channel comes before a steering.
static __rte_always_inline unsigned
clients_hash(enum ip_family family, struct worker *worker, const struct plain_list *clients,
             const uint64_t *hashes, struct foreign *ret_foreign, struct plain_list *rest)
{
    const struct flow_table *flows = &worker->tables.flows;
    uint32_t values[WORKER_BURST];
    unsigned count = 0;
    flow_table_find(flows, hashes, clients->count, values);
    for (unsigned i = 0; i < clients->count; i++) {
        struct foreign *foreign = &ret_foreign[count];
        foreign->frame = clients->frames[i];
        if (unlikely(values[i] != FLOW_NONE ||
                     !steering_key_of(family, worker, foreign->frame, &foreign->key))) {
            plain_list_add(rest, foreign->frame);
            continue;
        }
        foreign->hash = flow_table_hash_of(flows, &foreign->key);
        rte_prefetch0(flow_table_home(flows, foreign->hash));
        count++;
    }
    return count;
}

// What is found may be another's, or nothing that is in use: then it will not match.
static void clients_find(const struct tables *tables, struct foreign *foreign, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct flow_bucket *bucket = flow_table_home(&tables->flows, foreign[i].hash);
        uint32_t index = tables_guess(bucket, foreign[i].hash, TABLE_VALUE_STEERING,
                                      tables->steerings.pool.capacity);
        foreign[i].steering = &tables->steerings.at[index];
        rte_prefetch0(foreign[i].steering);
    }
}

static void clients_hand_on(enum ip_family family, struct worker *worker,
                            const struct foreign *foreign, unsigned count, struct plain_list *rest)
{
    for (unsigned i = 0; i < count; i++) {
        struct flow_key key = steering_key(foreign[i].steering);
        if (likely(flow_key_equal(&key, &foreign[i].key)))
            handoff_send(worker, steering_owner(foreign[i].steering),
                         handoff_client(family, foreign[i].frame));
        else
            plain_list_add(rest, foreign[i].frame);
    }
}

void foreign_clients(struct worker *worker, enum ip_family family, const struct plain_list *clients,
                     const uint64_t *hashes, struct plain_list *rest)
{
    struct foreign foreign[WORKER_BURST];
    unsigned count = family == IP_FAMILY_V4
                         ? clients_hash(IP_FAMILY_V4, worker, clients, hashes, foreign, rest)
                         : clients_hash(IP_FAMILY_V6, worker, clients, hashes, foreign, rest);
    clients_find(&worker->tables, foreign, count);
    clients_hand_on(family, worker, foreign, count, rest);
}
