// SPDX-License-Identifier: BSD-3-Clause
// As much of ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861) as lets a relay's kernel find us
// and us find the relay.
#pragma once

#include "base/address.h"
#include "frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NEIGHBOUR_FRAME_MAX_LEN 96
#define NEIGHBOUR_OWN_MAX       5

// What is answered for: addresses, and prefixes of clients and peers that are on the link.
struct neighbour_own {
    struct ip_prefix prefixes[NEIGHBOUR_OWN_MAX];
    unsigned count;
};

// Who has the target? Asked from source, of the same family. frame: NEIGHBOUR_FRAME_MAX_LEN.
// Returns the frame's length.
size_t neighbour_write_question(uint8_t *frame, const uint8_t own_mac[ETHERNET_ADDRESS_LEN],
                                const struct ip_address *source, const struct ip_address *target);

// The answer to a question about an address of ours, to reply, NEIGHBOUR_FRAME_MAX_LEN bytes.
// Returns its length, 0 when there is nothing to say.
size_t neighbour_answer(const struct neighbour_own *own,
                        const uint8_t own_mac[ETHERNET_ADDRESS_LEN], const uint8_t *frame,
                        size_t len, uint8_t *reply);

// True when the frame says where the target is.
bool neighbour_learn(const uint8_t *frame, size_t len, const struct ip_address *target,
                     uint8_t ret_mac[ETHERNET_ADDRESS_LEN]);
