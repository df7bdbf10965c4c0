// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth in pieces, from an allocation to its channels.
#include "dataplane/allowance.h"

// How many bytes there are for a charge; 0: not enough.
static uint32_t piece_take(const struct worker *worker, struct token_bucket *bucket,
                           uint32_t charge)
{
    const struct token_rate *rate = &worker->bandwidth;
    uint32_t piece = rate->cycles_per_byte == 0 ? ALLOWANCE_PIECE_LEN : ALLOWANCE_LIMITED_PIECE_LEN;
    if (piece >= charge && token_bucket_take(bucket, rate, worker->now_tsc, piece))
        return piece;
    return token_bucket_take(bucket, rate, worker->now_tsc, charge) ? charge : 0;
}

bool allowance_take(struct worker *worker, struct channel *channel, enum direction direction,
                    int32_t charge)
{
    bool to_peer = direction == DIRECTION_TO_PEER;
    struct channel_way *way = to_peer ? &channel->to_peer : &channel->to_client;
    struct allocation *allocation = &worker->tables.allocations.at[channel_allocation(channel)];
    uint32_t piece = piece_take(worker, &allocation->buckets[direction], (uint32_t)charge);
    if (piece == 0)
        return false;
    struct allocation_traffic *taken = &channel->traffic;
    *(to_peer ? &taken->to_peer_bytes : &taken->to_client_bytes) += piece;
    *(to_peer ? &taken->to_peer_packets : &taken->to_client_packets) += way->packets;
    way->allowance += (int32_t)piece;
    way->packets = 0;
    return true;
}

static uint64_t carried(uint64_t taken, const struct channel_way *way, uint64_t packets)
{
    return taken - (uint64_t)way->allowance - packets * ALLOWANCE_PACKET_LEN;
}

void allowance_traffic(const struct channel *channel, struct allocation_traffic *ret_traffic)
{
    const struct allocation_traffic *taken = &channel->traffic;
    struct allocation_traffic traffic = *taken;
    traffic.to_peer_packets += channel->to_peer.packets;
    traffic.to_client_packets += channel->to_client.packets;
    traffic.to_peer_bytes =
        carried(taken->to_peer_bytes, &channel->to_peer, traffic.to_peer_packets);
    traffic.to_client_bytes =
        carried(taken->to_client_bytes, &channel->to_client, traffic.to_client_packets);
    *ret_traffic = traffic;
}
