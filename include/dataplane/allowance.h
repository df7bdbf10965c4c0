// SPDX-License-Identifier: BSD-3-Clause
// What a channel may still carry in one direction before it asks its allocation for more. Bytes
// come from the allocation's bucket in large pieces, so that a packet touches nothing but its
// channel's entry; and since every piece is written down there, they count the traffic as well.
#pragma once

#include "dataplane/worker_state.h"
#include "exchange/bandwidth.h"
#include "proto/channel_data.h"

// Charged to every packet, as on the wire its ChannelData header is. So a piece is used up before
// its packets are more than 16 bits count.
#define ALLOWANCE_PACKET_LEN CHANNEL_DATA_HEADER_LEN
// The largest piece, bytes, and the one without a limit.
#define ALLOWANCE_PIECE_LEN 65536

static_assert(ALLOWANCE_PIECE_LEN / ALLOWANCE_PACKET_LEN <= UINT16_MAX, "packets cannot overflow");

// How large a piece is, of an allocation whose idle bucket holds so much. A part of it: what a
// channel that falls silent keeps is lost to the others.
static inline uint32_t allowance_piece_len(uint64_t burst_bytes)
{
    uint64_t piece_len = burst_bytes / BANDWIDTH_PIECES;
    return piece_len < ALLOWANCE_PIECE_LEN ? (uint32_t)piece_len : ALLOWANCE_PIECE_LEN;
}

// Bytes that channels have taken already they keep. There is memory for what is a limit in
// plane_config; total_max_bps needs none.
void allowance_set_limits(struct worker *worker, const struct bandwidth_limits *limits);

// Only with a limit.
static inline struct token_bucket *allowance_bucket(const struct worker *worker,
                                                    const struct allocation *allocation,
                                                    enum direction direction)
{
    const struct allocation_table *table = &worker->tables.allocations;
    return &table->buckets[allocation - table->at][direction];
}

// A piece that `charge` fits into. False: the allocation is above its bandwidth.
bool allowance_take(struct worker *worker, struct channel *channel, enum direction direction,
                    int32_t charge);

// One packet. False: the allocation is above its bandwidth, nothing is counted. direction: a
// constant where this is inlined.
static __rte_always_inline bool allowance_spend(struct worker *worker, struct channel *channel,
                                                enum direction direction, size_t data_len)
{
    struct channel_way *way =
        direction == DIRECTION_TO_PEER ? &channel->to_peer : &channel->to_client;
    int32_t charge = (int32_t)data_len + ALLOWANCE_PACKET_LEN;
    int32_t left = way->allowance - charge;
    if (unlikely(left < 0)) {
        if (!allowance_take(worker, channel, direction, charge))
            return false;
        left = way->allowance - charge;
    }
    way->allowance = left;
    way->packets++;
    return true;
}

// The packet did not go on after all.
static inline void allowance_give_back(struct channel *channel, enum direction direction,
                                       size_t data_len)
{
    struct channel_way *way =
        direction == DIRECTION_TO_PEER ? &channel->to_peer : &channel->to_client;
    way->allowance += (int32_t)data_len + ALLOWANCE_PACKET_LEN;
    way->packets--;
}

// The channel carries no more: its allocation's traffic is from here on what it has carried, not
// what it took. To the bucket nothing comes back.
void allowance_settle(struct tables *tables, struct channel *channel);

// The same where users, or all allocations, have a limit.
bool allowance_spend_shared(struct worker *worker, const struct allocation *allocation,
                            enum direction direction, uint32_t charge);

// And where they have none: from the allocation's bucket itself.
static inline bool allowance_spend_own(struct worker *worker, const struct allocation *allocation,
                                       enum direction direction, size_t data_len)
{
    return token_rate_is_unlimited(&worker->bandwidth) ||
           token_bucket_take(allowance_bucket(worker, allocation, direction), &worker->bandwidth,
                             worker->now_tsc, (uint32_t)data_len + ALLOWANCE_PACKET_LEN);
}

// One packet without a channel.
static inline bool allowance_spend_direct(struct worker *worker,
                                          const struct allocation *allocation,
                                          enum direction direction, size_t data_len)
{
    return unlikely(worker->shares_bandwidth)
               ? allowance_spend_shared(worker, allocation, direction,
                                        (uint32_t)data_len + ALLOWANCE_PACKET_LEN)
               : allowance_spend_own(worker, allocation, direction, data_len);
}

// A packet that was refused.
static __rte_cold inline void allowance_drop(struct worker *worker, struct rte_mbuf *frame)
{
    worker_drop(worker, frame,
                worker->shares_bandwidth ? worker->bandwidth_refusal : DROP_BANDWIDTH);
}
