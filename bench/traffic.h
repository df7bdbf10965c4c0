// SPDX-License-Identifier: BSD-3-Clause
// The packets of a case: written into buffers that are many more than the caches near a core hold, for flows drawn over
// the whole table; and what has become of them when they leave.
#pragma once

#include "port.h"
#include "scenario.h"

#include "dataplane/table_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;
struct subject;

#define TRAFFIC_PAYLOAD_MAX_LEN 1400 // a multiple of 4, so that no STUN message needs padding

enum traffic_draw {
    TRAFFIC_UNIFORM, // every flow as likely as any other
    TRAFFIC_ZIPF,    // the n-th most likely flow 1/n as likely as the first
    TRAFFIC_DRAW_COUNT,
};

struct traffic_packet {
    uint32_t flow;
    uint8_t role; // enum packet_role
    const uint8_t *payload;
    uint64_t payload_sum; // of its words, as UDP's checksum needs it
};

struct traffic {
    struct table_memory memory; // the buffers'
    struct rte_mempool *pool;
    struct traffic_packet *packets; // packets[i] is arrivals[i]
    struct port_arrival *arrivals;
    uint32_t count;
    size_t payload_len;
    uint16_t tag; // 802.1Q, of each frame; 0: none
    const struct scenario *scenario;
    uint32_t flow_count;
    enum traffic_draw draw;
    uint64_t walked[2]; // flows of a walk, by role
    uint8_t *material; // payloads are pieces of it
    uint8_t *seen;     // while checking
};

// count buffers. Anything that goes wrong ends the process.
void traffic_create(struct traffic *traffic, uint32_t count);
void traffic_destroy(struct traffic *traffic);

// From now on packets of this case; their payloads are written now, once.
void traffic_begin(struct traffic *traffic, const struct scenario *scenario, uint32_t flow_count, size_t payload_len,
                   enum traffic_draw draw);
// Draw a flow for each packet and write what stands in front of the payload.
void traffic_draw(struct traffic *traffic);
// Once they have been drawn: payloads where they belong, in buffers that have been written over or now have a tag.
void traffic_restore(struct traffic *traffic);
// Where a frame that has just been drawn begins.
uint8_t *traffic_frame(const struct traffic *traffic, uint32_t i);
// Every flow in order instead, once at least in each of the case's roles, in as many steps as it takes: write a packet
// for each buffer. False: all have been, nothing is written.
void traffic_walk_begin(struct traffic *traffic);
bool traffic_walk(struct traffic *traffic);
