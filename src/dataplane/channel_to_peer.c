// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from a client to the peer its channel is bound to (RFC 8656 section 12.6).
#include "dataplane/channel_to_peer.h"

#include "dataplane/forward.h"

void channel_to_peer(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (unlikely(!channel->permitted)) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    const struct plane_relay *relays = worker->config->relays;
    const struct plane_relay *relay = &relays[channel->relay];
    struct leg leg = {
        .source_ip = relay->local.bytes,
        .destination_ip = channel->peer_ip,
        .source_port_be = channel->relay_port_be,
        .destination_port_be = channel->peer_port_be,
        .family = channel->peer_family,
        .hairpin = channel->hairpin,
        .adjacency = channel->peer_adjacency,
    };
    if (unlikely(channel->hairpin != TABLE_RELAY_NONE)) {
        if (!hairpin_has_port(worker, channel->hairpin, channel->peer_port_be)) {
            worker_drop(worker, packet->mbuf, DROP_NO_RELAYED_ADDRESS);
            return;
        }
        leg.source_ip = relay->advertised.bytes;
        leg.destination_ip = relays[channel->hairpin].local.bytes;
    }
    uint16_t data_len = packet->data_len;
    if (!forward(worker, packet, &leg, NULL, 0, 0))
        return;
    channel->traffic.to_peer_packets++;
    channel->traffic.to_peer_bytes += data_len;
    worker_count(worker, COUNTER_CHANNEL_TO_PEER);
    worker_count_add(worker, COUNTER_TO_PEER_BYTES, data_len);
}
