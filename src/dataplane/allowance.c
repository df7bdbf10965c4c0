// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth in pieces, from an allocation to its channels.
#include "dataplane/allowance.h"

#define BURST_LEN_MIN 131072 // bytes

// A quarter of a second, but never less than the largest datagram and a bit.
static uint64_t burst_bytes(uint64_t max_bps)
{
    return max_bps / 4 > BURST_LEN_MIN ? max_bps / 4 : BURST_LEN_MIN;
}

void allowance_set_limit(struct worker *worker, uint64_t max_bps)
{
    worker->bandwidth = token_rate_make(max_bps, burst_bytes(max_bps), worker->tsc_hz);
    worker->allowance_piece_len =
        max_bps == 0 ? ALLOWANCE_PIECE_LEN : allowance_piece_len(burst_bytes(max_bps));
}

// How many bytes there are for a charge, which without a limit is less than a piece; 0: not enough.
static uint32_t piece_take(const struct worker *worker, const struct allocation *allocation,
                           enum direction direction, uint32_t charge)
{
    const struct token_rate *rate = &worker->bandwidth;
    uint32_t piece = worker->allowance_piece_len;
    if (token_rate_is_unlimited(rate))
        return piece;
    struct token_bucket *bucket = allowance_bucket(worker, allocation, direction);
    if (piece >= charge && token_bucket_take(bucket, rate, worker->now_tsc, piece))
        return piece;
    return token_bucket_take(bucket, rate, worker->now_tsc, charge) ? charge : 0;
}

// What was taken, less what its packets were charged on top.
static void count(struct allocation_traffic *traffic, struct channel_way *way,
                  enum direction direction, int64_t taken)
{
    bool to_peer = direction == DIRECTION_TO_PEER;
    *(to_peer ? &traffic->to_peer_bytes : &traffic->to_client_bytes) +=
        (uint64_t)taken - (uint64_t)way->packets * ALLOWANCE_PACKET_LEN;
    *(to_peer ? &traffic->to_peer_packets : &traffic->to_client_packets) += way->packets;
    way->packets = 0;
}

bool allowance_take(struct worker *worker, struct channel *channel, enum direction direction,
                    int32_t charge)
{
    bool to_peer = direction == DIRECTION_TO_PEER;
    struct channel_way *way = to_peer ? &channel->to_peer : &channel->to_client;
    struct allocation *allocation = &worker->tables.allocations.at[channel_allocation(channel)];
    uint32_t piece = piece_take(worker, allocation, direction, (uint32_t)charge);
    if (piece == 0)
        return false;
    count(&allocation->traffic, way, direction, piece);
    way->allowance += (int32_t)piece;
    return true;
}

void allowance_settle(struct tables *tables, struct channel *channel)
{
    struct allocation_traffic *traffic =
        &tables->allocations.at[channel_allocation(channel)].traffic;
    count(traffic, &channel->to_peer, DIRECTION_TO_PEER, -channel->to_peer.allowance);
    count(traffic, &channel->to_client, DIRECTION_TO_CLIENT, -channel->to_client.allowance);
    channel->to_peer.allowance = 0;
    channel->to_client.allowance = 0;
}
