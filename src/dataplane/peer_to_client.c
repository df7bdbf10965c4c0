// SPDX-License-Identifier: BSD-3-Clause
// What peers send to a relayed address (RFC 8656 sections 11.3, 12.7).
#include "dataplane/peer_to_client.h"

#include "dataplane/client_leg.h"
#include "dataplane/data_indication.h"
#include "dataplane/forward.h"
#include "proto/channel_data.h"

// RFC 8656 section 12.4.
static inline uint32_t channel_data_header_be(const struct packet *packet,
                                              const struct channel *channel)
{
    return htonl((uint32_t)channel->number << 16 | packet->data_len);
}

static inline void count_channel(struct worker *worker, const struct packet *packet,
                                 struct channel *channel)
{
    channel->traffic.to_client_packets++;
    channel->traffic.to_client_bytes += packet->data_len;
    worker_count(worker, COUNTER_PEER_TO_CHANNEL);
    worker_count_add(worker, COUNTER_TO_CLIENT_BYTES, packet->data_len);
}

// Without a checksum to go by.
static __rte_noinline void forward_uncommon(struct worker *worker, const struct packet *packet,
                                            struct channel *channel)
{
    struct leg leg = client_leg_of_channel(worker, channel);
    uint32_t header_be = channel_data_header_be(packet, channel);
    if (forward(worker, packet, &leg, (const uint8_t *)&header_be, sizeof(header_be), 0))
        count_channel(worker, packet, channel);
}

static __rte_always_inline void forward_common(struct worker *worker, const struct packet *packet,
                                               struct channel *channel)
{
    const struct leg leg = client_leg_of_channel(worker, channel);
    uint32_t header_be = channel_data_header_be(packet, channel);
    uint64_t change =
        channel->to_client_change + (uint64_t)htons(packet->data_len) + forward_header_change();
    forward_by_change(worker, packet, &leg, (const uint8_t *)&header_be, sizeof(header_be), change,
                      channel->to_client_label, channel, count_channel);
}

void peer_to_channel(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (unlikely(!channel->permitted))
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
    else if (likely(packet->checksum != 0))
        forward_common(worker, packet, channel);
    else
        forward_uncommon(worker, packet, channel);
}

void peer_to_data(struct worker *worker, const struct packet *packet)
{
    struct allocation *allocation = &worker->tables.allocations.at[packet->allocation];
    const struct leg leg = client_leg_of_allocation(worker, allocation);
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
