// SPDX-License-Identifier: BSD-3-Clause
// See turn/teardown.h.
#include "turn/teardown.h"

#include "turn/output.h"
#include "turn/tcp_listener.h"

static void forget_permission(struct turn_server *server, struct allocation *allocation,
                              uint32_t permission)
{
    expiry_cancel(&server->expiry, EXPIRY_PERMISSION, permission);
    permission_destroy(&server->permissions, allocation, permission);
}

static void forget_channel(struct turn_server *server, struct allocation *allocation,
                           uint32_t channel)
{
    expiry_cancel(&server->expiry, EXPIRY_CHANNEL, channel);
    channel_destroy(&server->channels, allocation, channel);
}

static void forget_permissions(struct turn_server *server, struct allocation *allocation,
                               enum ip_family family)
{
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    unsigned count;
    while ((count = permission_find_family(&server->permissions, allocation, family, found)) > 0) {
        for (unsigned i = 0; i < count; i++)
            forget_permission(server, allocation, found[i]);
    }
}

static void forget_channels(struct turn_server *server, struct allocation *allocation,
                            enum ip_family family)
{
    uint32_t found[PEER_ENTRIES_FOUND_MAX];
    unsigned count;
    while ((count = channel_find_family(&server->channels, allocation, family, found)) > 0) {
        for (unsigned i = 0; i < count; i++)
            forget_channel(server, allocation, found[i]);
    }
}

static void forget_tcp_connection(struct turn_server *server, struct allocation *allocation,
                                  uint32_t connection)
{
    const struct tcp_connection *at = &server->tcp_connections.at[connection];
    if (at->state == TCP_CONNECTION_CONNECTING)
        identity_give(&server->identities, at->reply.identity);
    if (at->state != TCP_CONNECTION_BOUND)
        expiry_cancel(&server->expiry, EXPIRY_TCP_CONNECTION, connection);
    tcp_connection_destroy(&server->tcp_connections, allocation, connection);
}

static void forget_tcp_connections(struct turn_server *server, struct allocation *allocation,
                                   enum ip_family family)
{
    const struct tcp_connection_table *table = &server->tcp_connections;
    uint32_t next;
    for (uint32_t at = allocation->tcp_connections; at != INDEX_NONE; at = next) {
        next = table->at[at].next;
        if (table->at[at].peer.ip.family == family)
            forget_tcp_connection(server, allocation, at);
    }
}

// They are dropped with the relayed address, by whoever holds it: no command for each.
static void forget_family(struct turn_server *server, struct allocation *allocation,
                          enum ip_family family)
{
    forget_permissions(server, allocation, family);
    if (allocation->is_tcp)
        forget_tcp_connections(server, allocation, family);
    else
        forget_channels(server, allocation, family);
}

void teardown_permission(struct turn_server *server, uint32_t permission,
                         struct turn_output *output)
{
    uint32_t id = permission_allocation(&server->permissions, permission);
    struct allocation *allocation = &server->allocations.at[id];
    struct ip_address peer = permission_peer(&server->permissions, permission);
    turn_output_permission(output, TURN_COMMAND_REMOVE_PERMISSION, allocation, &peer);
    forget_permission(server, allocation, permission);
}

void teardown_channel(struct turn_server *server, uint32_t channel, struct turn_output *output)
{
    const struct channel *at = channel_at(&server->channels, channel);
    struct allocation *allocation = &server->allocations.at[at->entry.key.allocation];
    struct transport_address peer = channel_peer(&server->channels, channel);
    turn_output_channel(output, TURN_COMMAND_REMOVE_CHANNEL, allocation, at->number, &peer);
    forget_channel(server, allocation, channel);
}

void teardown_tcp_closed(struct turn_server *server, uint32_t connection)
{
    uint32_t allocation = server->tcp_connections.at[connection].allocation;
    forget_tcp_connection(server, &server->allocations.at[allocation], connection);
}

void teardown_tcp_connection(struct turn_server *server, uint32_t connection,
                             struct turn_output *output)
{
    const struct tcp_connection *at = &server->tcp_connections.at[connection];
    turn_output_tcp_close(output, &server->allocations.at[at->allocation], at->id);
    teardown_tcp_closed(server, connection);
}

static void await_acknowledgement(struct turn_server *server, struct allocation *allocation)
{
    allocation->acknowledgements++;
    server->pending_removals++;
}

static void end_relayed(struct turn_server *server, struct allocation *allocation,
                        enum relayed_slot slot, enum relayed_state state)
{
    forget_family(server, allocation, relayed_family(slot));
    expiry_cancel(&server->expiry, expiry_relayed(slot), allocation->id);
    allocation->relayed[slot].state = state & 0xF;
}

static void end_tcp_relayed(struct turn_server *server, struct allocation *allocation,
                            unsigned slots, struct turn_output *output)
{
    turn_output_tcp_unlisten(output, allocation, slots);
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if ((slots & 1u << slot) == 0)
            continue;
        tcp_listener_close(server, allocation->relayed[slot].address);
        end_relayed(server, allocation, (enum relayed_slot)slot, RELAYED_NONE);
    }
}

static void end_udp(struct turn_server *server, struct allocation *allocation,
                    struct turn_output *output)
{
    turn_output_remove_allocation(output, &server->allocations, allocation);
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].state == RELAYED_LIVE)
            end_relayed(server, allocation, (enum relayed_slot)slot, RELAYED_RETIRED);
    }
    await_acknowledgement(server, allocation);
}

static void tell_watcher(const struct turn_server *server, const struct allocation *allocation,
                         enum turn_end end)
{
    const struct turn_watcher *watcher = &server->config.watcher;
    struct turn_allocation_view view;
    if (watcher->ended != NULL && turn_server_view(server, allocation->id, &view))
        watcher->ended(watcher->context, &view, end);
}

void teardown_allocation(struct turn_server *server, struct allocation *allocation,
                         enum turn_end end, struct turn_output *output)
{
    unsigned slots = allocation_live_slots(allocation);
    tell_watcher(server, allocation, end);
    turn_counters_ended(&server->counters, allocation->tuple.transport, slots);
    if (allocation->is_tcp)
        end_tcp_relayed(server, allocation, slots, output);
    else
        end_udp(server, allocation, output);
    identity_give(&server->identities, allocation->identity);
    quota_give(&server->quota, QUOTA_ALLOCATIONS, allocation->user);
    allocation_retire(&server->allocations, allocation);
    if (allocation->acknowledgements == 0)
        allocation_release(&server->allocations, allocation);
}

void teardown_relayed(struct turn_server *server, struct allocation *allocation,
                      enum relayed_slot slot, enum turn_end end, struct turn_output *output)
{
    if (allocation->relayed[relayed_other(slot)].state != RELAYED_LIVE) {
        teardown_allocation(server, allocation, end, output);
        return;
    }
    turn_counters_narrowed(&server->counters, allocation->tuple.transport,
                           1u << relayed_other(slot));
    if (allocation->is_tcp) {
        end_tcp_relayed(server, allocation, 1u << slot, output);
        return;
    }
    turn_output_remove_relay(output, allocation, slot);
    end_relayed(server, allocation, slot, RELAYED_REMOVING);
    await_acknowledgement(server, allocation);
}

void teardown_redeem(struct turn_server *server, uint32_t reservation)
{
    expiry_cancel(&server->expiry, EXPIRY_RESERVATION, reservation);
    quota_give(&server->quota, QUOTA_RESERVATIONS, server->reservations.at[reservation].user);
    reservation_destroy(&server->reservations, reservation);
}

void teardown_reservation(struct turn_server *server, uint32_t reservation)
{
    struct turn_relayed_address address = server->reservations.at[reservation].address;
    relay_ports_give(&server->relay_ports, address.relay, address.port);
    teardown_redeem(server, reservation);
}

static void give_port(struct turn_server *server, struct relayed *relayed)
{
    relay_ports_give(&server->relay_ports, relayed->address.relay, relayed->address.port);
    *relayed = (struct relayed){.state = RELAYED_NONE};
}

static void acknowledged(struct turn_server *server, struct allocation *allocation)
{
    server->pending_removals--;
    allocation->acknowledgements--;
    if (allocation->state == ALLOCATION_RETIRED && allocation->acknowledgements == 0)
        allocation_release(&server->allocations, allocation);
}

void teardown_allocation_acknowledged(struct turn_server *server, struct allocation *allocation)
{
    bool awaited = false;
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        if (allocation->relayed[slot].state != RELAYED_RETIRED)
            continue;
        give_port(server, &allocation->relayed[slot]);
        awaited = true;
    }
    if (awaited)
        acknowledged(server, allocation);
}

void teardown_relay_acknowledged(struct turn_server *server, struct allocation *allocation,
                                 const struct turn_relayed_address *address)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        struct relayed *relayed = &allocation->relayed[slot];
        if (relayed->state != RELAYED_REMOVING || relayed->address.relay != address->relay ||
            relayed->address.port != address->port)
            continue;
        give_port(server, relayed);
        acknowledged(server, allocation);
        return;
    }
}
