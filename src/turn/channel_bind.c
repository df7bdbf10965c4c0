// SPDX-License-Identifier: BSD-3-Clause
// See turn/channel_bind.h: binds or refreshes a channel, and with it the permission for its peer.
#include "turn/channel_bind.h"

#include "proto/channel_data.h"
#include "turn/create_permission.h"
#include "turn/output.h"
#include "turn/response.h"

struct binding {
    uint16_t number;
    struct transport_address peer;
    uint32_t channel; // that exists already, or INDEX_NONE
};

static unsigned read_binding(const struct turn_request *request, struct binding *binding)
{
    const struct channel_table *channels = &request->server->channels;
    const struct allocation *allocation = request->allocation;

    // TCP is relayed by connections (RFC 6062 section 3).
    if (allocation->is_tcp ||
        stun_message_channel_number(&request->message, &binding->number) != STUN_VALUE_OK ||
        stun_message_xor_address(&request->message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS,
                                 &binding->peer) != STUN_VALUE_OK ||
        binding->number > channel_data_max(request->server->config.rfc5766_channels))
        return STUN_ERROR_BAD_REQUEST;
    // Both name the same channel, or neither names any; else one of them is bound elsewhere.
    binding->channel = channel_find_number(channels, allocation, binding->number);
    if (binding->channel != channel_find_peer(channels, allocation, &binding->peer))
        return STUN_ERROR_BAD_REQUEST;
    if (!allocation_has_family(allocation, (enum ip_family)binding->peer.ip.family))
        return STUN_ERROR_PEER_ADDRESS_FAMILY_MISMATCH;
    if (!peer_verdict_allows(
            peer_policy_check(request->server->config.peer_policy, &binding->peer)))
        return STUN_ERROR_FORBIDDEN;
    return 0;
}

static bool has_room(const struct turn_request *request, const struct binding *binding)
{
    const struct turn_server *server = request->server;
    bool has_permission =
        permission_find(&server->permissions, request->allocation, &binding->peer.ip) != INDEX_NONE;
    return (binding->channel != INDEX_NONE ||
            channel_table_has_room(&server->channels, request->allocation)) &&
           permission_table_has_room(&server->permissions, request->allocation,
                                     has_permission ? 0 : 1);
}

static void install_channel(struct turn_request *request, const struct binding *binding)
{
    struct channel_table *table = &request->server->channels;
    uint32_t channel = binding->channel;
    if (channel == INDEX_NONE) {
        channel = channel_create(table, request->allocation, binding->number, &binding->peer);
        turn_output_channel(request->output, TURN_COMMAND_INSTALL_CHANNEL, request->allocation,
                            binding->number, &binding->peer);
    }
    expiry_set(&request->server->expiry, EXPIRY_CHANNEL, channel, request->now,
               TURN_CHANNEL_LIFETIME_S);
}

unsigned turn_channel_bind(struct turn_request *request)
{
    struct binding binding;
    unsigned error = read_binding(request, &binding);
    if (error != 0)
        return error;
    if (!has_room(request, &binding))
        return STUN_ERROR_INSUFFICIENT_CAPACITY;
    turn_install_permission(request, &binding.peer.ip);
    install_channel(request, &binding);

    struct stun_builder builder;
    response_begin_success(request, &builder);
    response_end(request, &builder);
    return 0;
}
