// SPDX-License-Identifier: BSD-3-Clause
// The datagrams of a case in fragments, and fragments of datagrams that never become whole (RFC 791 section 3.2,
// RFC 8200 section 4.5).
#pragma once

#include "../port.h"
#include "../traffic.h"

#include <stdint.h>

#define PIECES_MAX 8 // of a datagram

enum pieces_order {
    PIECES_IN_ORDER, // datagram by datagram, the first fragment first
    PIECES_REVERSED, // the last first
    PIECES_IN_TURN,  // of PIECES_AT_ONCE datagrams in turn, each in order
    PIECES_ORDER_COUNT,
};

// As many as can be under way wherever their hashes lead: a set of the table is as large.
#define PIECES_AT_ONCE 4

#define PIECES_HEADERS_MAX_LEN 54 // Ethernet's and IPv6's

struct pieces {
    struct rte_mempool *pool; // whole between runs
    uint32_t pool_size;
    struct port_arrival *arrivals;
    uint32_t count;
    uint32_t next_id;
    uint8_t stray_headers[PIECES_HEADERS_MAX_LEN];
};

// name: of the pool. So many buffers at least, and room for so many frames. Anything that goes wrong ends the process.
void pieces_create(struct pieces *pieces, const char *name, uint32_t buffers, uint32_t frames);
void pieces_destroy(struct pieces *pieces);

// Each datagram that has been drawn in so many fragments, 2 or more, the last to come in the traffic's own buffer,
// where the worker puts the datagram together; the others in buffers that it gives back. Afterwards the traffic is to
// be restored.
void pieces_cut(struct pieces *pieces, struct traffic *traffic, unsigned number, enum pieces_order order);

// Where strangers' fragments go: to where a packet of the traffic goes, which has been drawn and not been relayed yet.
void pieces_aim(struct pieces *pieces, const struct traffic *traffic);
// First fragments, each of another stranger's datagram and of so many bytes behind the IP header, a multiple of 8.
void pieces_stray(struct pieces *pieces, uint32_t count, uint16_t len);

// Ends the process unless the worker has given all buffers back.
void pieces_check(const struct pieces *pieces);
