// SPDX-License-Identifier: BSD-3-Clause
// What peers send to a relayed address (RFC 8656 sections 11.3, 12.7).
#include "dataplane/peer_to_client.h"

#include "dataplane/data_indication.h"
#include "dataplane/forward.h"
#include "proto/channel_data.h"

void peer_to_channel(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (unlikely(!channel->permitted)) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    const struct transport_address *listener = &worker->config->listeners[channel->listener];
    struct leg leg = {
        .source_ip = listener->ip.bytes,
        .destination_ip = channel->client_ip,
        .source_port_be = htons(listener->port),
        .destination_port_be = channel->client_port_be,
        .family = channel->client_family,
        .hairpin = TABLE_RELAY_NONE,
        .adjacency = channel->client_adjacency,
    };
    uint32_t header =
        htonl((uint32_t)channel->number << 16 | packet->data_len); // RFC 8656 section 12.4
    if (!forward(worker, packet, &leg, (const uint8_t *)&header, sizeof(header), 0))
        return;
    channel->traffic.to_client_packets++;
    channel->traffic.to_client_bytes += packet->data_len;
    worker_count(worker, COUNTER_PEER_TO_CHANNEL);
    worker_count_add(worker, COUNTER_TO_CLIENT_BYTES, packet->data_len);
}

void peer_to_data(struct worker *worker, const struct packet *packet)
{
    struct allocation *allocation = &worker->tables.allocations[packet->allocation];
    const struct transport_address *listener = &worker->config->listeners[allocation->listener];
    struct leg leg = {
        .source_ip = listener->ip.bytes,
        .destination_ip = allocation->client_ip,
        .source_port_be = htons(listener->port),
        .destination_port_be = allocation->client_port_be,
        .family = allocation->client_family,
        .hairpin = TABLE_RELAY_NONE,
        .adjacency = allocation->adjacency,
    };
    uint8_t head[DATA_INDICATION_HEAD_MAX_LEN];
    size_t head_len = data_indication_head(&worker->tokens, packet->family, packet->source_ip,
                                           ntohs(packet->source_port_be), packet->data_len, head);
    if (!forward(worker, packet, &leg, head, head_len,
                 channel_data_stream_padding(packet->data_len)))
        return;
    allocation->traffic.to_client_packets++;
    allocation->traffic.to_client_bytes += packet->data_len;
    worker_count(worker, COUNTER_PEER_TO_DATA);
    worker_count_add(worker, COUNTER_TO_CLIENT_BYTES, packet->data_len);
}
