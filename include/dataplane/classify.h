// SPDX-License-Identifier: BSD-3-Clause
// The first look at a received frame: Ethernet, IPv4 or IPv6, UDP or ICMP, and whom it is for.
// Every length is checked here, once: later stages trust what a struct packet says (RFC 791, RFC
// 8200, RFC 768, RFC 1122 section 3.2.1).
#pragma once

#include "dataplane/local_addresses.h"
#include "dataplane/packet.h"

struct rte_mbuf;

// IPv6 extension headers walked at most.
#define CLASSIFY_EXTENSIONS_MAX 8

// frame: one segment. ret_packet is wholly written as far as its kind needs it. Reads the frame,
// changes nothing.
void classify(const struct local_addresses *v4, const struct local_addresses *v6,
              struct rte_mbuf *frame, struct packet *ret_packet);
