// SPDX-License-Identifier: BSD-3-Clause
// See turn/connect.h.
#include "turn/connect.h"

#include "turn/output.h"
#include "turn/response.h"
#include "turn/tcp_listener.h"

#include <string.h>

// A permission is not needed, and not made: RFC 6062 section 5.2 has none.
static unsigned read_peer(const struct turn_request *request, struct transport_address *peer)
{
    const struct turn_server *server = request->server;

    if (!request->allocation->is_tcp ||
        stun_message_xor_address(&request->message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, peer) !=
            STUN_VALUE_OK)
        return STUN_ERROR_BAD_REQUEST;
    if (!allocation_has_family(request->allocation, (enum ip_family)peer->ip.family))
        return STUN_ERROR_PEER_ADDRESS_FAMILY_MISMATCH;
    if (!peer_verdict_allows(peer_policy_check(server->config.peer_policy, peer)))
        return STUN_ERROR_FORBIDDEN;
    if (tcp_connection_find_peer(&server->tcp_connections, request->allocation, peer) != INDEX_NONE)
        return STUN_ERROR_CONNECTION_ALREADY_EXISTS;
    return 0;
}

// False: there is no room.
static bool take_reply(struct turn_request *request, struct tcp_connect_reply *ret_reply)
{
    struct span username = {.data = (const uint8_t *)request->username,
                            .len = strlen(request->username)};
    struct tcp_connect_reply reply = {
        .identity = identity_take(&request->server->identities, username, request->algorithm,
                                  &request->key),
        .answer_sha1 = request->answer_sha1,
        .has_fingerprint = request->message.has_fingerprint,
    };
    if (reply.identity == INDEX_NONE)
        return false;
    memcpy(reply.transaction_id, request->message.transaction_id, STUN_TRANSACTION_ID_LEN);
    *ret_reply = reply;
    return true;
}

static void start(struct turn_request *request, const struct transport_address *peer,
                  const struct transport_address *local_peer, const struct tcp_connect_reply *reply)
{
    struct turn_server *server = request->server;
    struct tcp_connection_table *table = &server->tcp_connections;
    enum relayed_slot slot = relayed_slot_of((enum ip_family)peer->ip.family);
    uint32_t connection =
        tcp_connection_create(table, request->allocation, peer, &server->config.random);
    struct tcp_connection *at = &table->at[connection];

    at->state = TCP_CONNECTION_CONNECTING;
    at->reply = *reply;
    expiry_set(&server->expiry, EXPIRY_TCP_CONNECTION, connection, request->now,
               TURN_TCP_CONNECT_TIMEOUT_S);
    turn_output_tcp_connect(request->output, request->allocation, at->id, local_peer,
                            request->allocation->relayed[slot].address);
}

unsigned turn_connect(struct turn_request *request)
{
    struct turn_server *server = request->server;
    struct transport_address peer;
    struct tcp_connect_reply reply;
    unsigned error = read_peer(request, &peer);
    if (error != 0)
        return error;
    struct transport_address local_peer = peer;
    if (!tcp_listener_localize(server, &local_peer))
        return STUN_ERROR_FORBIDDEN;
    if (!tcp_connection_table_has_room(&server->tcp_connections, request->allocation) ||
        !take_reply(request, &reply))
        return STUN_ERROR_INSUFFICIENT_CAPACITY;
    start(request, &peer, &local_peer, &reply);
    return 0;
}

// The request, as far as a response needs it.
static void restore_request(struct turn_server *server, const struct tcp_connect_reply *reply,
                            struct turn_output *output, struct turn_request *ret_request)
{
    *ret_request = (struct turn_request){
        .server = server,
        .output = output,
        .message = {.method = STUN_METHOD_CONNECT,
                    .transaction_id = reply->transaction_id,
                    .has_fingerprint = reply->has_fingerprint},
        .answer_sha1 = reply->answer_sha1,
    };
    identity_get_key(&server->identities, reply->identity, &ret_request->key);
}

void turn_connect_answer(struct turn_server *server, uint32_t connection, unsigned error,
                         struct turn_output *output)
{
    struct tcp_connection *at = &server->tcp_connections.at[connection];
    struct turn_request request;
    struct stun_builder builder;

    restore_request(server, &at->reply, output, &request);
    if (error != 0) {
        response_error(&request, error);
    } else {
        response_begin_success(&request, &builder);
        stun_add_u32(&builder, STUN_ATTRIBUTE_CONNECTION_ID, at->id);
        response_end(&request, &builder);
    }
    integrity_key_cleanse(&request.key);
    output->request_method = STUN_METHOD_CONNECT;
    output->response_to =
        allocation_five_tuple(&server->allocations, &server->allocations.at[at->allocation]);
    identity_give(&server->identities, at->reply.identity);
    at->state = TCP_CONNECTION_UNBOUND;
}
