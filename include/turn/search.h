// SPDX-License-Identifier: BSD-3-Clause
// Looking for allocations and users as operators do: one id after the other, so that whoever looks may stop at any of
// them and go on later. Part of turn/server.h, which includes it.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_server;

// Whatever is not NULL, or has a family, has to fit. Of addresses port 0 fits every port.
struct turn_filter {
    const char *user;                 // a username, or whom the quotas count it as
    struct transport_address client;
    struct transport_address relayed; // advertised
    struct transport_address peer;    // has a permission; with a port: has a channel or connection to it
};

// Ids from 0 to this - 1 have been used.
uint32_t turn_server_id_count(const struct turn_server *server);
// Whether there is a live allocation of this id that fits. Any id.
bool turn_server_fits(const struct turn_server *server, uint32_t id, const struct turn_filter *filter);

// What a live allocation has for its peers: permissions, whose port is 0, then channels. At most max.
struct turn_peer {
    struct transport_address address;
    uint16_t channel; // 0: a permission
    uint64_t expires_ms;
};
unsigned turn_server_peers(const struct turn_server *server, uint32_t id, struct turn_peer *ret_peers, unsigned max);

// Users, as turn_server_user() tells of them, have indices from 0 to this - 1.
uint32_t turn_server_user_count(const struct turn_server *server);
