// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth in pieces, from an allocation to its channels.
#include "dataplane/allowance.h"

#include <string.h>

// Of everybody's bandwidth a worker takes more at once than a channel does.
#define TOTAL_PIECE_LEN_MAX (1u << 30)

static uint32_t piece_of(uint64_t bps)
{
    return bps == 0 ? ALLOWANCE_PIECE_LEN : allowance_piece_len(bandwidth_burst_len(bps));
}

void allowance_set_limits(struct worker *worker, const struct bandwidth_limits *limits)
{
    uint64_t total_piece_len = bandwidth_burst_len(limits->total_max_bps) / BANDWIDTH_PIECES;
    worker->bandwidth = bandwidth_rate(limits->max_bps, worker->tsc_hz);
    worker->user_bandwidth = bandwidth_rate(limits->user_max_bps, worker->tsc_hz);
    worker->total_bandwidth = bandwidth_rate(limits->total_max_bps, worker->tsc_hz);
    worker->shares_bandwidth = limits->user_max_bps != 0 || limits->total_max_bps != 0;
    worker->user_piece_len = piece_of(limits->user_max_bps);
    worker->total_piece_len = (uint32_t)RTE_MIN(total_piece_len, (uint64_t)TOTAL_PIECE_LEN_MAX);
    worker->allowance_piece_len =
        RTE_MIN(RTE_MIN(piece_of(limits->max_bps), piece_of(limits->user_max_bps)),
                piece_of(limits->total_max_bps));
    memset(worker->total_stock, 0, sizeof(worker->total_stock));
}

// What workers share, and what one of them, or an allocation, has taken of it beforehand.
struct level {
    const struct token_rate *rate;
    uint64_t *full_tsc;
    uint32_t *stock;
    uint32_t piece_len;
};

static struct level user_level(const struct worker *worker, const struct allocation *allocation,
                               enum direction direction)
{
    const struct allocation_table *table = &worker->tables.allocations;
    struct level level = {.rate = &worker->user_bandwidth, .piece_len = worker->user_piece_len};
    if (token_rate_is_unlimited(level.rate))
        return level;
    struct allocation_share *share = &table->shares[allocation - table->at];
    level.full_tsc = &worker->plane->user_bandwidth[share->user].full_tsc[direction];
    level.stock = &share->stock[direction];
    return level;
}

static struct level total_level(struct worker *worker, enum direction direction)
{
    return (struct level){
        .rate = &worker->total_bandwidth,
        .full_tsc = &worker->plane->total_bandwidth.full_tsc[direction],
        .stock = &worker->total_stock[direction],
        .piece_len = worker->total_piece_len,
    };
}

// Pieces come out of the upper half of a bucket alone. Once it is short of bytes each packet takes
// what it needs: what lies in pieces of those that are silent is nobody's then.
static bool level_take(const struct level *level, uint64_t now_tsc, uint32_t bytes, bool is_piece)
{
    const struct token_rate *rate = level->rate;
    if (token_rate_is_unlimited(rate))
        return true;
    if (*level->stock < bytes) {
        uint32_t piece = RTE_MAX(level->piece_len, bytes);
        if (token_bucket_take_shared(level->full_tsc, rate, now_tsc, piece, rate->burst_cycles / 2))
            *level->stock += piece;
        else if (!is_piece && token_bucket_take_shared(level->full_tsc, rate, now_tsc, bytes, 0))
            *level->stock += bytes;
        else
            return false;
    }
    *level->stock -= bytes;
    return true;
}

static void level_give(const struct level *level, uint32_t bytes)
{
    if (!token_rate_is_unlimited(level->rate))
        *level->stock += bytes;
}

// Of the allocation's own. What is taken of it and then not of the others goes back.
static bool own_take(const struct worker *worker, const struct allocation *allocation,
                     enum direction direction, uint32_t bytes)
{
    return token_rate_is_unlimited(&worker->bandwidth) ||
           token_bucket_take(allowance_bucket(worker, allocation, direction), &worker->bandwidth,
                             worker->now_tsc, bytes);
}

static void own_give(const struct worker *worker, const struct allocation *allocation,
                     enum direction direction, uint32_t bytes)
{
    if (!token_rate_is_unlimited(&worker->bandwidth))
        token_bucket_give(allowance_bucket(worker, allocation, direction), &worker->bandwidth,
                          bytes);
}

// From all whose limit it falls under, or from none: then it says whose it was.
static bool shared_take(struct worker *worker, const struct allocation *allocation,
                        enum direction direction, uint32_t bytes, bool is_piece)
{
    const struct level user = user_level(worker, allocation, direction);
    const struct level total = total_level(worker, direction);
    worker->bandwidth_refusal = DROP_BANDWIDTH;
    if (!own_take(worker, allocation, direction, bytes))
        return false;
    worker->bandwidth_refusal = DROP_USER_BANDWIDTH;
    if (level_take(&user, worker->now_tsc, bytes, is_piece)) {
        if (level_take(&total, worker->now_tsc, bytes, is_piece))
            return true;
        worker->bandwidth_refusal = DROP_TOTAL_BANDWIDTH;
        level_give(&user, bytes);
    }
    own_give(worker, allocation, direction, bytes);
    return false;
}

bool allowance_spend_shared(struct worker *worker, const struct allocation *allocation,
                            enum direction direction, uint32_t charge)
{
    if (shared_take(worker, allocation, direction, charge, false))
        return true;
    if (worker->bandwidth_refusal == DROP_USER_BANDWIDTH) {
        const struct allocation_table *table = &worker->tables.allocations;
        uint32_t user = table->shares[allocation - table->at].user;
        __atomic_fetch_add(&worker->plane->user_bandwidth[user].dropped_packets, 1,
                           __ATOMIC_RELAXED);
    }
    return false;
}

// How many bytes there are for a charge, which without a limit is less than a piece; 0: not enough.
static uint32_t piece_take(struct worker *worker, const struct allocation *allocation,
                           enum direction direction, uint32_t charge)
{
    const struct token_rate *rate = &worker->bandwidth;
    uint32_t piece = worker->allowance_piece_len;
    if (worker->shares_bandwidth) {
        if (piece >= charge && shared_take(worker, allocation, direction, piece, true))
            return piece;
        return allowance_spend_shared(worker, allocation, direction, charge) ? charge : 0;
    }
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
