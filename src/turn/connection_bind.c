// SPDX-License-Identifier: BSD-3-Clause
// See turn/connection_bind.h.
#include "turn/connection_bind.h"

#include "turn/output.h"
#include "turn/response.h"

static uint32_t find_connection(const struct turn_request *request)
{
    uint32_t id;
    if (stun_message_u32(&request->message, STUN_ATTRIBUTE_CONNECTION_ID, &id) != STUN_VALUE_OK)
        return INDEX_NONE;
    return tcp_connection_find(&request->server->tcp_connections, id);
}

struct allocation *turn_connection_bind_allocation(const struct turn_request *request)
{
    const struct turn_server *server = request->server;
    uint32_t connection = find_connection(request);
    if (connection == INDEX_NONE)
        return NULL;
    return &server->allocations.at[server->tcp_connections.at[connection].allocation];
}

unsigned turn_connection_bind(struct turn_request *request)
{
    struct turn_server *server = request->server;
    const struct five_tuple *client = &request->packet->five_tuple;
    uint32_t connection = find_connection(request);
    struct stun_builder builder;

    // A control connection stays one.
    if (!five_tuple_is_stream(client) || connection == INDEX_NONE ||
        server->tcp_connections.at[connection].state != TCP_CONNECTION_UNBOUND ||
        allocation_find(&server->allocations, client) != NULL)
        return STUN_ERROR_BAD_REQUEST;
    expiry_cancel(&server->expiry, EXPIRY_TCP_CONNECTION, connection);
    tcp_connection_bind(&server->tcp_connections, connection, client);
    turn_output_tcp_bind(request->output, &server->quota, request->allocation,
                         server->tcp_connections.at[connection].id, client);
    response_begin_success(request, &builder);
    response_end(request, &builder);
    return 0;
}
