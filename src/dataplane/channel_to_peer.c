// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from a client to the peer its channel is bound to (RFC 8656 section 12.6).
#include "dataplane/channel_to_peer.h"

#include "dataplane/allowance.h"
#include "dataplane/forward.h"

static struct leg leg_to_peer(const struct worker *worker, const struct channel *channel)
{
    const struct plane_relay *relays = worker->config->relays;
    bool is_hairpin = channel->hairpin != TABLE_RELAY_NONE;
    const struct plane_relay *relay = &relays[channel->relay];
    return (struct leg){
        .source_ip = is_hairpin ? relay->advertised.bytes : relay->local.bytes,
        .destination_ip = is_hairpin ? relays[channel->hairpin].local.bytes
                                     : channel_peer_ip(&worker->tables.channels, channel),
        .source_port_be = channel_relay_port_be(channel),
        .destination_port_be = channel_peer_port_be(channel),
        .family = channel->peer_family,
        .hairpin = channel->hairpin,
        .adjacency = channel->to_peer.adjacency,
    };
}

void channel_to_peer(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (!channel->permitted) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    if (!allowance_spend(worker, channel, DIRECTION_TO_PEER, packet->data_len)) {
        allowance_drop(worker, packet->mbuf);
        return;
    }
    struct leg leg = leg_to_peer(worker, channel);
    if (unlikely(channel->is_narrow)) {
        const struct channel_table *table = &worker->tables.channels;
        leg.path_mtu = path_mtu_of_peer(worker, table->places[channel - table->at].permission);
    }
    if (!forward(worker, packet, &leg, NULL, 0, 0)) {
        allowance_give_back(channel, DIRECTION_TO_PEER, packet->data_len);
        return;
    }
    worker_count(worker, COUNTER_CHANNEL_TO_PEER);
    worker_count_add(worker, COUNTER_TO_PEER_BYTES, packet->data_len);
}
