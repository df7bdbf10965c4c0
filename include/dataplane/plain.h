// SPDX-License-Identifier: BSD-3-Clause
// What the rooms of the short way share: lists of frames, and access to headers that have been
// found to be plain ones: no options, no fragments, lengths that fit.
#pragma once

#include "base/address.h"
#include "dataplane/packet.h"
#include "dataplane/worker_state.h"

#include <rte_mbuf.h>
#include <stdint.h>
#include <string.h>

struct plain_list {
    struct rte_mbuf *frames[WORKER_BURST];
    unsigned count;
};

// What is known of a client's datagram.
struct plain_client {
    uint64_t words[2]; // of its key
    uint64_t hash;
    struct flow_bucket *bucket;
    struct channel *channel; // that it may be of
    // Where there are other workers: what was found in the bucket, and in which of its slots.
    uint32_t value;
    uint32_t hits;
};

struct plain_clients {
    struct rte_mbuf *frames[WORKER_BURST];
    struct plain_client ways[WORKER_BURST];
    unsigned count;
};

// Some of them.
struct plain_choice {
    struct rte_mbuf *frames[WORKER_BURST];
    struct plain_client *ways[WORKER_BURST];
    unsigned count;
};

static inline void plain_list_add(struct plain_list *list, struct rte_mbuf *frame)
{
    list->frames[list->count++] = frame;
}

// As in memory, to be compared or copied. Numbers are read by load_be*().

static inline uint64_t plain_load_u64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline uint32_t plain_load_u32(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline uint16_t plain_load_u16(const uint8_t *bytes)
{
    uint16_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

// The other's source is the one's destination.
static inline uint64_t plain_swap_halves_u64(uint64_t word)
{
    return word << 32 | word >> 32;
}

static inline uint32_t plain_swap_halves_u32(uint32_t word)
{
    return word << 16 | word >> 16;
}

static __rte_always_inline uint32_t plain_ip_len(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? PACKET_IPV4_LEN : PACKET_IPV6_LEN;
}

static inline uint8_t *plain_ip_of(const struct rte_mbuf *frame)
{
    return rte_pktmbuf_mtod_offset(frame, uint8_t *, PACKET_ETHERNET_LEN);
}
