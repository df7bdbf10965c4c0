// SPDX-License-Identifier: BSD-3-Clause
// How much joined connections may carry (RFC 6062): the limits are those of UDP, but what is above them waits and is
// not dropped. An allocation's connections share its account's buckets, which may be several threads'; those of users
// and of all are the plane's, and workers take from them as well. One a thread, its only.
#pragma once

#include "control/stream_account.h"
#include "exchange/bandwidth.h"

#include <stddef.h>

struct plane;

struct stream_bandwidth {
    struct plane *plane;            // borrowed
    struct bandwidth_limits limits; // that these were made of:
    struct token_rate own;
    struct token_rate user;
    struct token_rate total;
    size_t least_len; // bytes that are worth a read
};

void stream_bandwidth_init(struct stream_bandwidth *bandwidth, struct plane *plane);

// Bytes that may be read by now; 0: wait. Of the limits in force, on all levels.
size_t stream_bandwidth_left(struct stream_bandwidth *bandwidth, struct stream_account *account,
                             enum direction direction);
// As many of them as a read is to have, taken from all levels; 0: wait. What the read does not need is given back. No
// limit: SIZE_MAX.
size_t stream_bandwidth_take(struct stream_bandwidth *bandwidth, struct stream_account *account,
                             enum direction direction);
void stream_bandwidth_give(const struct stream_bandwidth *bandwidth, struct stream_account *account,
                           enum direction direction, size_t len);
// What was read before anybody could ask.
void stream_bandwidth_spend(struct stream_bandwidth *bandwidth, struct stream_account *account,
                            enum direction direction, size_t len);
