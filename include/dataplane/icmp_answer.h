// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors to whoever sent a datagram that cannot go on: too big for the next link, or with its
// TTL used up, as from a router (RFC 8656 sections 13.2, 13.3; RFC 1191, RFC 4443
// sections 3.2, 3.3; RFC 1812 section 4.3.2).
#pragma once

#include "dataplane/packet.h"

#include <stdint.h>

struct worker;

// The frame is as it came, and gone for the caller: answered in its own buffer, or, above the rate
// or when it came through the hairpin, dropped.

void icmp_answer_time_exceeded(struct worker *worker, const struct packet *packet);

// mtu: of the link, on the leg of that family.
void icmp_answer_too_big(struct worker *worker, const struct packet *packet, uint8_t family,
                         uint16_t mtu);
