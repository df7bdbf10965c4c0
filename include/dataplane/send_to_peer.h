// SPDX-License-Identifier: BSD-3-Clause
// Send indications from a client to any peer it has a permission for (RFC 8656 section 11.2).
#pragma once

#include "dataplane/worker_state.h"

#include <stdbool.h>

// What a Send indication asks for.
struct send_request {
    struct ip_address peer;
    uint16_t peer_port_be;
    bool dont_fragment;
};

// Read the indication; packet's data becomes the DATA attribute's value. False: the packet was
// dropped.
bool send_to_peer_parse(struct worker *worker, struct packet *packet,
                        struct send_request *ret_request);

// permission: of that peer, live. The packet is gone for the caller.
void send_to_peer(struct worker *worker, const struct packet *packet,
                  const struct send_request *request, const struct permission *permission);
