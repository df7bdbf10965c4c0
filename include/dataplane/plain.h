// SPDX-License-Identifier: BSD-3-Clause
// What the rooms of the short way share: lists of frames, and access to headers that have been
// found to be plain ones (no options, no fragments, lengths that fit), and what becomes of them.
#pragma once

#include "base/address.h"
#include "base/checksum.h"
#include "dataplane/lanes.h"
#include "dataplane/packet.h"
#include "dataplane/worker_state.h"

#include <rte_mbuf.h>
#include <stdint.h>
#include <string.h>

// What comes from a port and what was handed over may go together: a burst of each.
#define PLAIN_MOST (2 * WORKER_BURST)

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
    struct rte_mbuf *frames[PLAIN_MOST];
    struct plain_client ways[PLAIN_MOST];
    unsigned count;
};

struct plain_peers {
    struct rte_mbuf *frames[PLAIN_MOST];
    const struct relay_slot *slots[PLAIN_MOST];
    struct channel *channels[PLAIN_MOST]; // that they may be of
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

// The line that follows the one in which the frame begins, which has been fetched on arrival.
static __rte_always_inline const uint8_t *plain_next_line(const struct rte_mbuf *frame)
{
    return rte_pktmbuf_mtod_offset(frame, const uint8_t *, RTE_CACHE_LINE_SIZE);
}

// Of an IPv4 header, from the Ethernet header's type on: what of it stays, a hop, and which of its
// words change.
#define PLAIN_IPV4_KEPT                                                                            \
    ((lanes){0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
#define PLAIN_IPV4_HOP           ((lanes){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0})
#define PLAIN_IPV4_LEN_WORD      2
#define PLAIN_IPV4_ID_WORD       3
#define PLAIN_IPV4_SUM_WORD      6
#define PLAIN_IPV4_DONT_FRAGMENT 0x40 // of the byte that flags begin in

// The next header, from that type on, but for the addresses; RFC 8656 sections 13, 14. It is made
// of what was there, ip; only what may be cut up needs an id (RFC 6864). change: what addresses,
// length and hop add to the checksum, in memory's order; a few words.
static __rte_always_inline lanes plain_next_ipv4(struct worker *worker, const uint8_t *ip,
                                                 uint32_t change, uint32_t total_len)
{
    lanes header = (lanes_load(ip - 2) - PLAIN_IPV4_HOP) & PLAIN_IPV4_KEPT;
    uint32_t sum = change + plain_load_u16(ip + 4) + plain_load_u16(ip + 10);
    if (!(ip[6] & PLAIN_IPV4_DONT_FRAGMENT)) {
        uint16_t id_be = __builtin_bswap16(worker->ipv4_id++);
        header = lanes_set_u16(header, PLAIN_IPV4_ID_WORD, id_be);
        sum += (uint16_t)~id_be;
    }
    header = lanes_set_u16(header, PLAIN_IPV4_LEN_WORD, __builtin_bswap16((uint16_t)total_len));
    return lanes_set_u16(header, PLAIN_IPV4_SUM_WORD, checksum_fold_below(sum));
}
