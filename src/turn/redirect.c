// SPDX-License-Identifier: BSD-3-Clause
// See turn/redirect.h.
#include "turn/redirect.h"

static const struct transport_address *alternate_of(const struct turn_alternates *alternates,
                                                    enum ip_family family)
{
    return family == IP_FAMILY_V6 ? &alternates->v6 : &alternates->v4;
}

static enum ip_family client_family(const struct turn_request *request)
{
    return (enum ip_family)request->packet->five_tuple.client.ip.family;
}

unsigned redirect_error(const struct turn_request *request, bool has_reservation)
{
    const struct turn_server *server = request->server;
    // The port that waits for a token waits here, and for a call that is there already.
    if (server->drain == TURN_DRAIN_NONE ||
        (has_reservation && server->drain == TURN_DRAIN_NEWCOMERS))
        return 0;
    // Without one of the client's own family it must not be 300.
    return alternate_of(&server->alternates, client_family(request))->ip.family != IP_FAMILY_NONE
               ? STUN_ERROR_TRY_ALTERNATE
               : STUN_ERROR_INSUFFICIENT_CAPACITY;
}

static void add_alternate(const struct turn_request *request, enum ip_family family,
                          struct stun_builder *builder)
{
    struct transport_address address = *alternate_of(&request->server->alternates, family);
    if (address.ip.family == IP_FAMILY_NONE)
        return;
    if (address.port == 0)
        address.port = request->packet->five_tuple.server.port;
    stun_add_address(builder, STUN_ATTRIBUTE_ALTERNATE_SERVER, &address);
}

// The client's family first, then the other. The domain is for whoever verifies a certificate.
void redirect_add_alternates(const struct turn_request *request, struct stun_builder *builder)
{
    enum ip_family family = client_family(request);
    uint8_t transport = request->packet->five_tuple.transport;
    const char *domain = request->server->alternates.domain;
    add_alternate(request, family, builder);
    add_alternate(request, family == IP_FAMILY_V6 ? IP_FAMILY_V4 : IP_FAMILY_V6, builder);
    if (domain[0] != '\0' && (transport == FIVE_TUPLE_TLS || transport == FIVE_TUPLE_DTLS))
        stun_add_string(builder, STUN_ATTRIBUTE_ALTERNATE_DOMAIN, domain);
}
