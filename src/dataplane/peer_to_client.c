// SPDX-License-Identifier: BSD-3-Clause
// What peers send to a relayed address (RFC 8656 sections 11.3, 12.7).
#include "dataplane/peer_to_client.h"

#include "dataplane/allowance.h"
#include "dataplane/client_leg.h"
#include "dataplane/data_indication.h"
#include "dataplane/forward.h"
#include "proto/channel_data.h"

void peer_to_channel(struct worker *worker, const struct packet *packet, struct channel *channel)
{
    if (!channel->permitted) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    if (!allowance_spend(worker, channel, DIRECTION_TO_CLIENT, packet->data_len)) {
        allowance_drop(worker, packet->mbuf);
        return;
    }
    struct leg leg = client_leg_of_channel(worker, channel);
    if (channel->is_client_narrow)
        leg.path_mtu = path_mtu_of_client(worker, channel_allocation(channel));
    uint8_t header[CHANNEL_DATA_HEADER_LEN];
    channel_data_write_header(header, channel_number(channel), packet->data_len);
    if (!forward(worker, packet, &leg, header, sizeof(header), 0)) {
        allowance_give_back(channel, DIRECTION_TO_CLIENT, packet->data_len);
        return;
    }
    worker_count(worker, COUNTER_PEER_TO_CHANNEL);
    worker_count_add(worker, COUNTER_TO_CLIENT_BYTES, packet->data_len);
}

void peer_to_data(struct worker *worker, const struct packet *packet)
{
    struct allocation *allocation = &worker->tables.allocations.at[packet->allocation];
    struct leg leg = client_leg_of_allocation(worker, allocation);
    if (allocation->is_narrow)
        leg.path_mtu = path_mtu_of_client(worker, packet->allocation);
    uint8_t head[DATA_INDICATION_HEAD_MAX_LEN];
    if (!allowance_spend_direct(worker, allocation, DIRECTION_TO_CLIENT, packet->data_len)) {
        allowance_drop(worker, packet->mbuf);
        return;
    }
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
