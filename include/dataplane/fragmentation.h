// SPDX-License-Identifier: BSD-3-Clause
// Datagrams that are larger than their link (RFC 8656 sections 13 and 14, RFC 791 section 2.3, RFC
// 8200 section 4.5).
#pragma once

#include "dataplane/worker_state.h"

// frame: Ethernet, an IP header without options or extension headers, and more than mtu bytes of
// packet. It goes out in fragments of at most mtu bytes, over IPv6 of 1280 (RFC 8656 section 13.2),
// and is gone for the caller.
void fragment_and_transmit(struct worker *worker, struct rte_mbuf *frame, uint16_t mtu);
