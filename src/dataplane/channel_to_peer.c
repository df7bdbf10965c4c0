// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from a client to the peer its channel is bound to (RFC 8656 section 12.6).
#include "dataplane/channel_to_peer.h"

#include "dataplane/forward.h"

static __rte_always_inline struct leg leg_to_peer(const struct worker *worker,
                                                  const struct channel *channel)
{
    return (struct leg){
        .source_ip = worker->config->relays[channel->relay].local.bytes,
        .destination_ip = channel->peer_ip,
        .source_port_be = channel->relay_port_be,
        .destination_port_be = channel->peer_port_be,
        .family = channel->peer_family,
        .hairpin = TABLE_RELAY_NONE,
        .adjacency = channel->peer_adjacency,
    };
}

static inline void count(struct worker *worker, const struct packet *packet,
                         struct channel *channel)
{
    channel->traffic.to_peer_packets++;
    channel->traffic.to_peer_bytes += packet->data_len;
    worker_count(worker, COUNTER_CHANNEL_TO_PEER);
    worker_count_add(worker, COUNTER_TO_PEER_BYTES, packet->data_len);
}

// No checksum to go by, bytes behind the payload, or a peer of our own.
static __rte_noinline void forward_uncommon(struct worker *worker, const struct packet *packet,
                                            struct channel *channel)
{
    struct leg leg = leg_to_peer(worker, channel);
    if (channel->hairpin != TABLE_RELAY_NONE) {
        leg.hairpin = channel->hairpin;
        leg.source_ip = worker->config->relays[channel->relay].advertised.bytes;
        leg.destination_ip = worker->config->relays[channel->hairpin].local.bytes;
    }
    if (forward(worker, packet, &leg, NULL, 0, 0))
        count(worker, packet, channel);
}

static __rte_always_inline void forward_common(struct worker *worker, const struct packet *packet,
                                               struct channel *channel)
{
    const struct leg leg = leg_to_peer(worker, channel);
    uint64_t change = channel->to_peer_change + (uint64_t)(uint16_t)~htons(packet->data_len) +
                      checksum_negate(forward_header_change());
    forward_by_change(worker, packet, &leg, NULL, 0, change, channel->to_peer_label, channel,
                      count);
}

void channel_to_peer(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (unlikely(!channel->permitted)) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    bool is_exact = packet_payload_len(packet) == packet->data_offset + packet->data_len;
    bool is_common = packet->checksum != 0 && is_exact && channel->hairpin == TABLE_RELAY_NONE;
    if (likely(is_common))
        forward_common(worker, packet, channel);
    else
        forward_uncommon(worker, packet, channel);
}
