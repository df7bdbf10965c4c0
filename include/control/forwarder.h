// SPDX-License-Identifier: BSD-3-Clause
// Carries out what the TURN server decides: translates its commands into those of the workers, with
// indices for addresses and adjacencies for destinations, and puts them on their rings before the
// response. Control thread only.
#pragma once

#include "control/next_hop.h"
#include "exchange/plane.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

struct forwarder;

struct forwarder_config {
    struct plane *plane;    // borrowed
    struct next_hops *hops; // borrowed
    // Ethdev ports of each worker, by the place of the interface that next hops are behind; copied.
    const uint16_t *ports[NEXT_HOPS_INTERFACES_MAX]; // NULL: there is none
};

// 0 or -ENOMEM.
int forwarder_create(const struct forwarder_config *config, struct forwarder **ret_forwarder);
void forwarder_destroy(struct forwarder *forwarder);

// Tell the workers of adjacencies that have changed, as far as their rings have room.
void forwarder_flush(struct forwarder *forwarder);

// Whether the rings have room for all that one event can make. Only then may the next three be
// called, each once.
bool forwarder_is_ready(struct forwarder *forwarder);

// The results of one event, but for its commands about TCP. punt: the message that it answers,
// whose frame is used up; NULL: none.
void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt);

// The results of one step of turn_server_walk: what routes have moved is installed again; the rest
// only counts as in use.
void forwarder_reinstall(struct forwarder *forwarder, const struct turn_output *output);

// The 5-tuple of a client, as the workers and the threads of streams know it.
void forwarder_client_tuple(const struct forwarder *forwarder, const struct client_key *client,
                            struct five_tuple *ret_tuple);
struct client_key forwarder_client_key(const struct forwarder *forwarder,
                                       const struct five_tuple *tuple);
// The same of a punted message.
void forwarder_five_tuple(const struct forwarder *forwarder, const struct punt *punt,
                          struct five_tuple *ret_tuple);
