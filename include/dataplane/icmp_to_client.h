// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about what was relayed to a peer, told to the client in a Data indication (RFC 8656
// sections 11.5, 18.13), at a limited rate.
#pragma once

#include "dataplane/leg.h"
#include "dataplane/worker_state.h"

#include <stdbool.h>

// The datagram that an ICMP error is about. It was sent from one of our relayed addresses or, where
// the error is one of those that say how much a path has, from a listener: then what is said of a
// peer is its client's.
struct icmp_error {
    const uint8_t *peer_ip; // its destination
    uint16_t peer_port;
    uint16_t relay_port;
    uint8_t relay; // index; of a listener, to a client
    bool is_to_client;
    uint8_t family; // enum ip_family, of the peer
    uint8_t type;
    uint8_t code;
    uint16_t path_mtu; // that it tells of the way there, see path_mtu_told(); 0: none
    uint32_t data;     // of the ICMP attribute: an MTU, or zero
};

// False: not an ICMP error that is relayed or learned from, or about a datagram that none of ours
// sent.
bool icmp_error_read(const struct local_addresses *locals, const struct packet *packet,
                     struct icmp_error *ret_error);

// An allocation begins, and has the whole burst, whatever the one before it in its place of the
// table was told. index: that place.
void icmp_to_client_begin(struct worker *worker, uint32_t index);

// Not to a client; packet->allocation has a live permission for the peer. The packet is gone for
// the caller.
void icmp_to_client(struct worker *worker, struct packet *packet, const struct icmp_error *error);

// The same for an error that a router would make: a datagram that its client wants sent with DF
// (RFC 8656 section 14) is longer than that leg's mtu. packet: of that client, as it came, with its
// allocation. It is gone for the caller.
void icmp_to_client_too_big(struct worker *worker, const struct packet *packet,
                            const struct leg *leg, uint16_t mtu);
