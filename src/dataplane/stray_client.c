// SPDX-License-Identifier: BSD-3-Clause
// The owner of a client's allocation is known at two more places: on the worker that the client's
// last request landed on, and at the client's home. Two steps lead there from anywhere, and no
// packet goes round: what was handed on is handed on once more by its client's home alone, and a
// home hands nothing to itself.
#include "dataplane/stray_client.h"

#include "dataplane/handoff.h"
#include "exchange/client_home.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

static unsigned home_of(const struct worker *worker, const struct packet *packet)
{
    uint8_t ip[16] = {0};
    memcpy(ip, packet->source_ip, packet->family == IP_FAMILY_V4 ? 4 : sizeof(ip));
    return client_home(ip, ntohs(packet->source_port_be), worker->config->worker_count);
}

// A client of this worker's own that errs: nobody knows better.
static bool is_known(const struct worker *worker, const struct packet *packet)
{
    struct flow_key key;
    tables_client_key(&worker->tables, &key, packet->local, packet->family, packet->source_ip,
                      packet->source_port_be, 0);
    return tables_lookup(&worker->tables, &key) != FLOW_NONE;
}

static void settle_stranger(struct worker *worker, const struct packet *packet)
{
    unsigned home = home_of(worker, packet);
    // Anyone can be a stranger: they are not to fill a ring that others' media needs.
    if (worker->may_hand_on && home != worker->id && handoff_is_half_empty(worker, home) &&
        !is_known(worker, packet))
        handoff_send(worker, home, handoff_unsorted(packet->mbuf));
    else
        worker_drop(worker, packet->mbuf, (enum drop)packet->drop);
}

static void send_to_owner(struct worker *worker, const struct steering *steering,
                          struct rte_mbuf *frame)
{
    if (worker->may_hand_on)
        handoff_send(worker, steering_owner(steering), handoff_unsorted(frame));
    else
        handoff_send_on(worker, steering_owner(steering), handoff_unsorted(frame));
}

static void settle(struct worker *worker, const struct packet *packet, uint32_t steering)
{
    bool is_steered =
        steering != FLOW_NONE && (worker->may_hand_on || home_of(worker, packet) == worker->id);
    if (is_steered)
        send_to_owner(worker, &worker->tables.steerings.at[table_value_index(steering)],
                      packet->mbuf);
    else
        settle_stranger(worker, packet);
}

void stray_client(struct worker *worker, struct packet *packet, enum drop drop)
{
    struct worker_lookups *lookups = &worker->stray_lookups;
    if (worker->config->worker_count == 1) {
        worker_drop(worker, packet->mbuf, drop);
        return;
    }
    packet->drop = (uint8_t)drop;
    tables_steering_key(&worker->tables, &lookups->keys[lookups->count], packet->local,
                        packet->family, packet->source_ip, packet->source_port_be);
    lookups->packets[lookups->count++] = packet;
}

// In stages, as every lookup of a burst: where a NIC spreads its queues anew, strays are many.
void stray_clients_settle(struct worker *worker)
{
    struct worker_lookups *lookups = &worker->stray_lookups;
    const struct tables *tables = &worker->tables;
    if (lookups->count == 0)
        return;
    flow_table_hash(&tables->flows, lookups->keys, lookups->count, lookups->hashes);
    flow_table_find(&tables->flows, lookups->hashes, lookups->count, lookups->values);
    for (unsigned i = 0; i < lookups->count; i++) {
        if (table_value_kind(lookups->values[i]) == TABLE_VALUE_STEERING)
            rte_prefetch0(&tables->steerings.at[table_value_index(lookups->values[i])]);
    }
    for (unsigned i = 0; i < lookups->count; i++) {
        uint32_t value = lookups->values[i];
        if (value != FLOW_NONE && !tables_match(tables, value, &lookups->keys[i]))
            value = flow_table_lookup(&tables->flows, &lookups->keys[i], lookups->hashes[i],
                                      tables_match, tables);
        settle(worker, lookups->packets[i], value);
    }
    lookups->count = 0;
}
