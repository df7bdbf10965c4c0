// SPDX-License-Identifier: BSD-3-Clause
// The leg towards a client: from the listener that it talks to, to where its requests come from
// (RFC 8656 sections 11.3, 12.7).
#pragma once

#include "dataplane/leg.h"
#include "dataplane/worker_state.h"

#include <netinet/in.h>

static inline bool client_leg_is_dtls(const struct plane_config *config, unsigned listener)
{
    return plane_listener_is_stream(config, listener) &&
           plane_stream_listener(config, listener)->transport == STREAM_DTLS;
}

static inline struct leg client_leg_of_allocation(const struct worker *worker,
                                                  const struct allocation *allocation)
{
    const struct transport_address *listener = &worker->config->listeners[allocation->listener];
    return (struct leg){
        .source_ip = listener->ip.bytes,
        .destination_ip = allocation_client_ip(&worker->tables.allocations, allocation),
        .source_port_be = htons(listener->port),
        .destination_port_be = allocation->client_port_be,
        .family = allocation->client_family,
        .hairpin = TABLE_RELAY_NONE,
        .adjacency = allocation->adjacency,
        .is_stream = plane_listener_is_stream(worker->config, allocation->listener),
        .is_dtls = client_leg_is_dtls(worker->config, allocation->listener),
        .listener = allocation->listener,
    };
}

// The same, of the channel's entry alone.
static inline struct leg client_leg_of_channel(const struct worker *worker,
                                               const struct channel *channel)
{
    return (struct leg){
        .source_ip = channel_listener_ip(worker->config, channel),
        .destination_ip = channel_client_ip(&worker->tables.channels, channel),
        .source_port_be = channel_listener_port_be(channel),
        .destination_port_be = channel_client_port_be(channel),
        .family = channel_client_family(channel),
        .hairpin = TABLE_RELAY_NONE,
        .adjacency = channel->to_client.adjacency,
        .is_stream = channel_is_of_stream(channel),
        .is_dtls = channel_is_of_stream(channel) &&
                   client_leg_is_dtls(worker->config, channel_listener(channel)),
        .listener = (uint8_t)channel_listener(channel),
    };
}
