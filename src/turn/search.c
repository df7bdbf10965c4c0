// SPDX-License-Identifier: BSD-3-Clause
// See turn/search.h.
#include "turn/search.h"

#include "turn/server_state.h"

#include <string.h>

static bool address_fits(const struct transport_address *wanted,
                         const struct transport_address *address)
{
    return ip_address_equal(&wanted->ip, &address->ip) &&
           (wanted->port == 0 || wanted->port == address->port);
}

static bool user_fits(const struct turn_server *server, const struct allocation *allocation,
                      const char *user)
{
    return strcmp(name_table_text(&server->quota.users, allocation->user), user) == 0 ||
           strcmp(identity_name(&server->identities, allocation->identity), user) == 0;
}

static bool client_fits(const struct turn_server *server, const struct allocation *allocation,
                        const struct transport_address *wanted)
{
    struct five_tuple tuple = allocation_five_tuple(&server->allocations, allocation);
    return address_fits(wanted, &tuple.client);
}

static bool relayed_fits(const struct turn_server *server, const struct allocation *allocation,
                         const struct transport_address *wanted)
{
    const struct relayed *relayed =
        &allocation->relayed[relayed_slot_of((enum ip_family)wanted->ip.family)];
    const struct transport_address address = {
        server->config.relays[relayed->address.relay].advertised, relayed->address.port};
    return relayed->state == RELAYED_LIVE && address_fits(wanted, &address);
}

static bool peer_fits(const struct turn_server *server, const struct allocation *allocation,
                      const struct transport_address *wanted)
{
    if (wanted->port == 0)
        return permission_find(&server->permissions, allocation, &wanted->ip) != INDEX_NONE;
    if (allocation->is_tcp)
        return tcp_connection_find_peer(&server->tcp_connections, allocation, wanted) != INDEX_NONE;
    return channel_find_peer(&server->channels, allocation, wanted) != INDEX_NONE;
}

uint32_t turn_server_id_count(const struct turn_server *server)
{
    return server->allocations.ids.fresh;
}

bool turn_server_fits(const struct turn_server *server, uint32_t id,
                      const struct turn_filter *filter)
{
    const struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation == NULL)
        return false;
    return (filter->user == NULL || user_fits(server, allocation, filter->user)) &&
           (filter->client.ip.family == IP_FAMILY_NONE ||
            client_fits(server, allocation, &filter->client)) &&
           (filter->relayed.ip.family == IP_FAMILY_NONE ||
            relayed_fits(server, allocation, &filter->relayed)) &&
           (filter->peer.ip.family == IP_FAMILY_NONE ||
            peer_fits(server, allocation, &filter->peer));
}

static unsigned add_permissions(const struct turn_server *server,
                                const struct allocation *allocation, struct turn_peer *ret_peers,
                                unsigned max)
{
    const struct peer_entry_table *entries = &server->permissions.entries;
    const struct index_tree_nodes nodes = {entries->at, entries->element_len};
    struct index_tree_walk walk;
    uint32_t index;
    unsigned count = 0;
    index_tree_walk_begin(&walk, allocation->permissions);
    while (count < max && (index = index_tree_walk_next(&walk, nodes)) != INDEX_NONE)
        ret_peers[count++] = (struct turn_peer){
            .address.ip = permission_peer(&server->permissions, index),
            .expires_ms = expiry_due_ms(&server->expiry, EXPIRY_PERMISSION, index)};
    return count;
}

static unsigned add_channels(const struct turn_server *server, const struct allocation *allocation,
                             struct turn_peer *ret_peers, unsigned max)
{
    const struct peer_entry_table *entries = &server->channels.entries;
    const struct index_tree_nodes nodes = {entries->at, entries->element_len};
    struct index_tree_walk walk;
    uint32_t index;
    unsigned count = 0;
    index_tree_walk_begin(&walk, allocation->channels);
    while (count < max && (index = index_tree_walk_next(&walk, nodes)) != INDEX_NONE)
        ret_peers[count++] =
            (struct turn_peer){.address = channel_peer(&server->channels, index),
                               .channel = channel_at(&server->channels, index)->number,
                               .expires_ms = expiry_due_ms(&server->expiry, EXPIRY_CHANNEL, index)};
    return count;
}

unsigned turn_server_peers(const struct turn_server *server, uint32_t id,
                           struct turn_peer *ret_peers, unsigned max)
{
    const struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation == NULL)
        return 0;
    unsigned count = add_permissions(server, allocation, ret_peers, max);
    if (!allocation->is_tcp)
        count += add_channels(server, allocation, ret_peers + count, max - count);
    return count;
}

uint32_t turn_server_user_count(const struct turn_server *server)
{
    return server->quota.users.pool.fresh;
}
