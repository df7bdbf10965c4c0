// SPDX-License-Identifier: BSD-3-Clause
// See turn/view.h.
#include "turn/view.h"

#include "turn/output.h"
#include "turn/server_state.h"
#include "turn/session_id.h"

// The cursor runs over allocations, then permissions, then channels: each stands behind what it
// needs. What is added meanwhile behind the cursor was said when it was added.
static void walk_one(const struct turn_server *server, const struct server_place *place,
                     struct turn_output *output)
{
    const struct allocation *allocations = server->allocations.at;
    const struct permission_table *permissions = &server->permissions;
    const struct channel_table *channels = &server->channels;
    uint32_t index = place->index;
    struct ip_address permitted;
    struct transport_address bound;

    switch (place->table) {
    case SERVER_ALLOCATIONS:
        if (allocation_get(&server->allocations, index) != NULL)
            turn_output_install_allocation(output, &server->allocations, &server->quota,
                                           &allocations[index]);
        break;
    case SERVER_PERMISSIONS:
        if (!permission_is_live(permissions, index))
            break;
        permitted = permission_peer(permissions, index);
        turn_output_permission(output, TURN_COMMAND_INSTALL_PERMISSION,
                               &allocations[permission_allocation(permissions, index)], &permitted);
        break;
    case SERVER_CHANNELS:
        if (!channel_is_live(channels, index))
            break;
        bound = channel_peer(channels, index);
        turn_output_channel(output, TURN_COMMAND_INSTALL_CHANNEL,
                            &allocations[channel_allocation(channels, index)],
                            channel_at(channels, index)->number, &bound);
        break;
    default: // no worker holds it
        break;
    }
}

bool turn_server_walk(const struct turn_server *server, uint64_t *cursor,
                      struct turn_output *output)
{
    struct server_place place;
    turn_output_reset(output);
    for (unsigned i = 0; i < TURN_WALK_STEPS_MAX && turn_output_has_room(output); i++) {
        if (!server_next_place(server, cursor, &place))
            return false;
        walk_one(server, &place, output);
    }
    return true;
}

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    *ret_usage = (struct turn_usage){
        .allocations = server->allocations.live_count,
        .permissions = index_pool_used(&server->permissions.entries.pool),
        .channels = index_pool_used(&server->channels.entries.pool),
        .reservations = index_pool_used(&server->reservations.pool),
        .relay_ports = server->relay_ports.taken_count,
        .pending_removals = server->pending_removals,
        .users = server->quota.allocating_count,
        .tcp_allocations = server->allocations.tcp_count,
        .tcp_connections = index_pool_used(&server->tcp_connections.pool),
        .tcp_ports = server->tcp_ports.taken_count,
    };
}

const struct turn_counters *turn_server_counters(const struct turn_server *server)
{
    return &server->counters;
}

uint32_t turn_server_worker_allocations(const struct turn_server *server, uint16_t worker)
{
    return server->allocations.count_by_worker[worker];
}

bool turn_server_user(const struct turn_server *server, uint32_t user,
                      struct turn_user_view *ret_view)
{
    const struct quota *quota = &server->quota;
    if (user >= quota->users.pool.fresh || quota->counts[user].held[QUOTA_ALLOCATIONS] == 0)
        return false;
    *ret_view = (struct turn_user_view){
        .name = name_table_text(&quota->users, user),
        .user = user,
        .allocations = quota->counts[user].held[QUOTA_ALLOCATIONS],
    };
    return true;
}

bool turn_server_find_user(const struct turn_server *server, struct span name,
                           struct turn_user_view *ret_view)
{
    uint32_t user = name_table_find(&server->quota.users, name);
    return user != INDEX_NONE && turn_server_user(server, user, ret_view);
}

bool turn_server_walk_users(const struct turn_server *server, uint32_t *cursor,
                            struct turn_user_view *ret_views, unsigned max, unsigned *ret_count)
{
    uint32_t end = server->quota.users.pool.fresh;
    unsigned count = 0;
    for (unsigned i = 0; i < TURN_WALK_STEPS_MAX && count < max && *cursor < end; i++)
        count += turn_server_user(server, (*cursor)++, &ret_views[count]);
    *ret_count = count;
    return *cursor < end;
}

uint32_t turn_server_allocations_max(const struct turn_server *server)
{
    return quota_allocations_max(&server->quota);
}

static void ports_usage(const struct turn_server *server, const struct relay_ports *ports,
                        enum ip_family family, uint16_t worker, struct turn_port_usage *ret_usage)
{
    struct turn_port_usage usage = {0};
    for (uint16_t relay = 0; relay < ports->relay_count; relay++) {
        if (server->config.relays[relay].local.family != family)
            continue;
        usage.taken += relay_ports_taken(ports, relay, worker);
        usage.capacity += relay_ports_capacity(ports, relay, worker);
    }
    *ret_usage = usage;
}

void turn_server_relay_ports(const struct turn_server *server, enum ip_family family,
                             uint16_t worker, struct turn_port_usage *ret_usage)
{
    ports_usage(server, &server->relay_ports, family, worker, ret_usage);
}

void turn_server_tcp_ports(const struct turn_server *server, enum ip_family family,
                           struct turn_port_usage *ret_usage)
{
    ports_usage(server, &server->tcp_ports, family, 0, ret_usage);
}

static bool worker_has_port(const struct turn_server *server, uint16_t worker)
{
    for (uint16_t relay = 0; relay < server->config.relay_count; relay++) {
        if (relay_ports_free(&server->relay_ports, relay, worker, RELAY_PORT_ANY) > 0)
            return true;
    }
    return false;
}

bool turn_server_has_room(const struct turn_server *server)
{
    if (!quota_has_room(&server->quota))
        return false;
    for (uint16_t worker = 0; worker < server->config.worker_count; worker++) {
        if (allocation_table_has_room(&server->allocations, worker) &&
            worker_has_port(server, worker))
            return true;
    }
    return false;
}

static struct transport_address advertised_address(const struct turn_server *server,
                                                   const struct relayed *relayed)
{
    struct transport_address address = {0};
    if (relayed->state == RELAYED_LIVE) {
        address.ip = server->config.relays[relayed->address.relay].advertised;
        address.port = relayed->address.port;
    }
    return address;
}

static uint64_t expires_ms(const struct turn_server *server, const struct allocation *allocation)
{
    uint64_t last_ms = 0;
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].state != RELAYED_LIVE)
            continue;
        uint64_t due_ms =
            expiry_due_ms(&server->expiry, expiry_relayed((enum relayed_slot)slot), allocation->id);
        if (due_ms > last_ms)
            last_ms = due_ms;
    }
    return last_ms;
}

bool turn_server_view(const struct turn_server *server, uint32_t id,
                      struct turn_allocation_view *ret_view)
{
    const struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation == NULL)
        return false;
    *ret_view = (struct turn_allocation_view){
        .session_id = session_id_make(allocation->sequence, id),
        .id = id,
        .five_tuple = allocation_five_tuple(&server->allocations, allocation),
        .is_tcp = allocation->is_tcp,
        .username = identity_name(&server->identities, allocation->identity),
        .realm = server->config.stateless.realm,
        .relayed_v4 = advertised_address(server, &allocation->relayed[RELAYED_V4]),
        .relayed_v6 = advertised_address(server, &allocation->relayed[RELAYED_V6]),
        .started_ms = (uint64_t)allocation->started_ds * 100,
        .expires_ms = expires_ms(server, allocation),
        .worker = allocation->worker,
        .permissions = allocation->permission_count,
        .channels = allocation->channel_count,
    };
    return true;
}

bool turn_server_tcp_relayed(const struct turn_server *server, uint32_t id,
                             struct turn_relayed_address *ret_relayed)
{
    const struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation == NULL || !allocation->is_tcp)
        return false;
    bool has_v4 = allocation->relayed[RELAYED_V4].state == RELAYED_LIVE;
    *ret_relayed = allocation->relayed[has_v4 ? RELAYED_V4 : RELAYED_V6].address;
    return true;
}

bool turn_server_find_session(const struct turn_server *server, uint64_t session_id,
                              uint32_t *ret_allocation)
{
    const struct allocation *allocation =
        allocation_get(&server->allocations, session_id_allocation(session_id));
    if (allocation == NULL || session_id_make(allocation->sequence, allocation->id) != session_id)
        return false;
    *ret_allocation = allocation->id;
    return true;
}
