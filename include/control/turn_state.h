// SPDX-License-Identifier: BSD-3-Clause
// The TURN server and what it refers to, made from the configuration.
#pragma once

#include "control/settings.h"
#include "exchange/plane.h"
#include "platform/interface.h"
#include "turn/server.h"

struct turn_state {
    struct credentials *credentials;
    struct peer_policy *peer_policy;
    struct turn_server *server;
};

// A policy with a new nonce key. 0 or -errno.
int turn_state_make_policy(const struct settings *settings, struct stateless_policy *ret_policy);

// Listeners, relays, sizes and policy are those of the plane; tcp_listener is for tcp_relay. Logs what went wrong.
// 0 or -errno.
int turn_state_init(const struct settings *settings, const struct interface *interface,
                    const struct plane_config *plane, const struct turn_limits *limits,
                    const struct turn_tcp_listener *tcp_listener, struct turn_state *ret_state);
void turn_state_done(struct turn_state *state);
