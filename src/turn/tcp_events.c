// SPDX-License-Identifier: BSD-3-Clause
// See turn/tcp_events.h.
#include "turn/tcp_events.h"

#include "proto/builder.h"
#include "turn/connect.h"
#include "turn/output.h"
#include "turn/tcp_listener.h"
#include "turn/teardown.h"

void turn_server_tcp_connected(struct turn_server *server, const struct turn_time *now, uint32_t id,
                               struct turn_output *output)
{
    turn_output_reset(output);
    uint32_t connection = tcp_connection_find(&server->tcp_connections, id);
    if (connection == INDEX_NONE ||
        server->tcp_connections.at[connection].state != TCP_CONNECTION_CONNECTING)
        return;
    turn_connect_answer(server, connection, 0, output);
    expiry_set(&server->expiry, EXPIRY_TCP_CONNECTION, connection, now, TURN_TCP_BIND_TIMEOUT_S);
}

static bool listens_at(const struct allocation *allocation, struct turn_relayed_address address)
{
    for (unsigned slot = 0; slot < RELAYED_COUNT; slot++) {
        const struct relayed *relayed = &allocation->relayed[slot];
        if (relayed->state == RELAYED_LIVE && relayed->address.relay == address.relay &&
            relayed->address.port == address.port)
            return true;
    }
    return false;
}

static bool may_connect(const struct turn_server *server, const struct allocation *allocation,
                        const struct transport_address *peer)
{
    return permission_find(&server->permissions, allocation, &peer->ip) != INDEX_NONE &&
           tcp_connection_find_peer(&server->tcp_connections, allocation, peer) == INDEX_NONE &&
           tcp_connection_table_has_room(&server->tcp_connections, allocation);
}

static void indicate_attempt(struct turn_server *server, const struct tcp_connection *connection,
                             struct turn_output *output)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN];
    struct stun_builder builder;

    random_fill(&server->config.random, transaction_id, sizeof(transaction_id));
    stun_builder_init(&builder, output->response, sizeof(output->response), STUN_CLASS_INDICATION,
                      STUN_METHOD_CONNECTION_ATTEMPT, transaction_id);
    stun_add_u32(&builder, STUN_ATTRIBUTE_CONNECTION_ID, connection->id);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &connection->peer);
    output->response_len = stun_builder_finish(&builder);
    output->response_to = allocation_five_tuple(&server->allocations,
                                                &server->allocations.at[connection->allocation]);
}

bool turn_server_tcp_accepted(struct turn_server *server, const struct turn_time *now, uint32_t id,
                              struct turn_relayed_address relayed,
                              const struct transport_address *peer, struct turn_output *output,
                              uint32_t *ret_connection)
{
    struct tcp_connection_table *table = &server->tcp_connections;
    struct transport_address known_peer = *peer;

    turn_output_reset(output);
    struct allocation *allocation = allocation_get(&server->allocations, id);
    if (allocation == NULL || !allocation->is_tcp || !listens_at(allocation, relayed))
        return false;
    tcp_listener_advertise(server, &known_peer);
    if (!may_connect(server, allocation, &known_peer))
        return false;
    uint32_t connection =
        tcp_connection_create(table, allocation, &known_peer, &server->config.random);
    expiry_set(&server->expiry, EXPIRY_TCP_CONNECTION, connection, now, TURN_TCP_BIND_TIMEOUT_S);
    indicate_attempt(server, &table->at[connection], output);
    *ret_connection = table->at[connection].id;
    return true;
}

void turn_server_tcp_closed(struct turn_server *server, const struct turn_time *now, uint32_t id,
                            struct turn_output *output)
{
    (void)now;
    turn_output_reset(output);
    uint32_t connection = tcp_connection_find(&server->tcp_connections, id);
    if (connection == INDEX_NONE)
        return;
    if (server->tcp_connections.at[connection].state == TCP_CONNECTION_CONNECTING)
        turn_connect_answer(server, connection, STUN_ERROR_CONNECTION_TIMEOUT_OR_FAILURE, output);
    teardown_tcp_closed(server, connection);
}
