// SPDX-License-Identifier: BSD-3-Clause
// Datagrams put together from fragments (RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722).
// Fragments are copied and given back at once, so that nobody can hold packet buffers by never
// sending the rest; datagrams in work are bounded in number, size and time. librte_ip_frag holds
// the buffers and stops at 8 fragments.
#pragma once

#include "base/siphash.h"
#include "dataplane/packet.h"
#include "dataplane/table_memory.h"

#include <stdbool.h>
#include <stdint.h>

#define REASSEMBLY_SETS          32
#define REASSEMBLY_SET_SIZE      4
#define REASSEMBLY_DATAGRAMS     (REASSEMBLY_SETS * REASSEMBLY_SET_SIZE)
#define REASSEMBLY_FRAGMENTS_MAX 128 // of one datagram
#define REASSEMBLY_TIMEOUT_MS    1000

struct reassembly_datagram;

struct reassembly {
    struct reassembly_datagram *datagrams;
    uint8_t *payloads;                     // one of full size for each
    struct reassembly_datagram *completed; // between reassembly_take() and reassembly_write()
    uint64_t timeout_tsc;
    uint64_t sweep_due_tsc;
    struct siphash_key key;
    uint32_t in_use;
    // From in_use on; what was given back last is taken first, as it is in a cache still.
    uint8_t free_payloads[REASSEMBLY_DATAGRAMS];
    struct table_memory memory;
};

// What became of a fragment.
struct reassembly_result {
    uint32_t dropped; // fragments that will be part of nothing, this one and earlier ones
    uint32_t merged;  // fragments, the last apart, that the datagram was put together of
    bool complete;
    uint32_t frame_len; // of the completed frame
};

// 0 or -ENOMEM.
int reassembly_init(struct reassembly *reassembly, uint64_t tsc_hz, int socket);
void reassembly_done(struct reassembly *reassembly);

// Take in a PACKET_FRAGMENT: its bytes are copied, the caller keeps the frame. When the result is
// complete, reassembly_write() follows before anything else is taken in.
void reassembly_take(struct reassembly *reassembly, const struct packet *fragment, uint64_t now_tsc,
                     struct reassembly_result *ret_result);

// Write the completed frame, frame_len bytes: an Ethernet frame with an unfragmented IPv4 datagram
// without DF, or an IPv6 one with an atomic Fragment header, so that the frame itself says where it
// comes from. frame NULL: forget it.
void reassembly_write(struct reassembly *reassembly, uint8_t *frame);

// Whether it is a fragment of what may be a UDP datagram. No other is taken.
bool reassembly_serves(const struct packet *fragment);

// Forget what is overdue. Returns the number of fragments that went with it. Cheap when nothing is
// in work.
uint32_t reassembly_expire(struct reassembly *reassembly, uint64_t now_tsc);
