// SPDX-License-Identifier: BSD-3-Clause
// See turn/create_permission.h: all the peers of a request, or none.
#include "turn/create_permission.h"

#include "turn/output.h"
#include "turn/response.h"

struct peer_list {
    struct ip_address peers[TURN_PEERS_PER_REQUEST_MAX];
    unsigned count; // in the request: may be more than the array holds
};

// The first of 400, 443, 403, 508 that any peer earns, in the order of RFC 8656 section 10.2.
static unsigned read_peers(const struct turn_request *request, struct peer_list *list)
{
    const struct peer_policy *policy = request->server->config.peer_policy;
    bool other_family = false;
    bool forbidden = false;
    uint32_t cursor = 0;
    struct stun_attribute_view attribute;

    list->count = 0;
    while (stun_message_next(&request->message, &cursor, &attribute)) {
        struct transport_address peer;
        if (attribute.type != STUN_ATTRIBUTE_XOR_PEER_ADDRESS)
            continue;
        if (!stun_decode_xor_address(attribute.value, request->message.transaction_id, &peer))
            return STUN_ERROR_BAD_REQUEST;
        other_family |= !allocation_has_family(request->allocation, (enum ip_family)peer.ip.family);
        forbidden |= !peer_verdict_allows(peer_policy_check_ip(policy, &peer.ip));
        if (list->count < TURN_PEERS_PER_REQUEST_MAX)
            list->peers[list->count] = peer.ip;
        list->count++;
    }
    if (list->count == 0)
        return STUN_ERROR_BAD_REQUEST;
    if (other_family)
        return STUN_ERROR_PEER_ADDRESS_FAMILY_MISMATCH;
    if (forbidden)
        return STUN_ERROR_FORBIDDEN;
    return list->count <= TURN_PEERS_PER_REQUEST_MAX ? 0 : STUN_ERROR_INSUFFICIENT_CAPACITY;
}

static bool is_repeated(const struct peer_list *list, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (ip_address_equal(&list->peers[i], &list->peers[index]))
            return true;
    }
    return false;
}

// How many permissions the list adds.
static uint32_t count_new(const struct turn_request *request, const struct peer_list *list)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < list->count; i++) {
        bool exists = permission_find(&request->server->permissions, request->allocation,
                                      &list->peers[i]) != INDEX_NONE;
        count += !exists && !is_repeated(list, i);
    }
    return count;
}

void turn_install_permission(struct turn_request *request, const struct ip_address *peer)
{
    struct permission_table *table = &request->server->permissions;
    uint32_t permission = permission_find(table, request->allocation, peer);
    if (permission == INDEX_NONE) {
        permission = permission_create(table, request->allocation, peer);
        turn_output_permission(request->output, TURN_COMMAND_INSTALL_PERMISSION,
                               request->allocation, peer);
    }
    expiry_set(&request->server->expiry, EXPIRY_PERMISSION, permission, request->now,
               TURN_PERMISSION_LIFETIME_S);
}

unsigned turn_create_permission(struct turn_request *request)
{
    struct peer_list list;
    unsigned error = read_peers(request, &list);
    if (error != 0)
        return error;
    if (!permission_table_has_room(&request->server->permissions, request->allocation,
                                   count_new(request, &list)))
        return STUN_ERROR_INSUFFICIENT_CAPACITY;
    for (unsigned i = 0; i < list.count; i++)
        turn_install_permission(request, &list.peers[i]);

    struct stun_builder builder;
    response_begin_success(request, &builder);
    response_end(request, &builder);
    return 0;
}
