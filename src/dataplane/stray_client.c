// SPDX-License-Identifier: BSD-3-Clause
// The owner of a client's allocation is known at two more places: on the worker that the client's
// last request landed on, and at the client's home. Two steps lead there from anywhere, and no
// packet goes round: what was handed on is handed on once more by its client's home alone, and a
// home hands nothing to itself.
#include "dataplane/stray_client.h"

#include "dataplane/handoff.h"
#include "exchange/client_home.h"

#include <netinet/in.h>

static unsigned home_of(const struct worker *worker, const struct packet *packet)
{
    uint8_t ip[16] = {0};
    memcpy(ip, packet->source_ip, packet->family == IP_FAMILY_V4 ? 4 : sizeof(ip));
    return client_home(ip, ntohs(packet->source_port_be), worker->config->worker_count);
}

static bool hand_to_owner(struct worker *worker, const struct packet *packet)
{
    struct flow_key key;
    tables_steering_key(&key, packet->local, packet->family, packet->source_ip,
                        packet->source_port_be);
    uint32_t index = tables_find(&worker->tables, &key);
    if (index == TABLE_NONE)
        return false;
    handoff_send(worker, worker->tables.steerings.at[index].owner, packet->mbuf);
    return true;
}

// A client of this worker's own that errs: nobody knows better.
static bool is_known(const struct worker *worker, const struct packet *packet)
{
    struct flow_key key;
    tables_client_key(&key, packet->local, packet->family, packet->source_ip,
                      packet->source_port_be, 0);
    return tables_lookup(&worker->tables, &key) != FLOW_NONE;
}

void stray_client(struct worker *worker, const struct packet *packet, enum drop drop)
{
    if (worker->config->worker_count > 1 && !is_known(worker, packet)) {
        unsigned home = home_of(worker, packet);
        if ((worker->may_hand_on || home == worker->id) && hand_to_owner(worker, packet))
            return;
        // Anyone can be a stranger: they are not to fill a ring that others' media needs.
        if (worker->may_hand_on && home != worker->id && handoff_is_half_empty(worker, home)) {
            handoff_send(worker, home, packet->mbuf);
            return;
        }
    }
    worker_drop(worker, packet->mbuf, drop);
}
