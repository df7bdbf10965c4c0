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

// A policy of other settings, with the nonce keys of the one before, or a new one beside the last of these.
// 0 or -errno.
int turn_state_renew_policy(const struct settings *settings, const struct stateless_policy *before, bool new_key,
                            struct stateless_policy *ret_policy);

// Users and peer policy alone. Logs what went wrong. 0 or -errno.
int turn_state_make_access(const struct settings *settings, const struct interface *interface,
                           const struct plane_config *plane, struct turn_state *ret_state);
// The server goes over to the users and the peer policy of access, of which nothing is left.
void turn_state_take_access(struct turn_state *state, struct turn_state *access);

// The server goes over to a peer policy with the addresses that the interface has now; what that denies goes with
// turn_server_revoke(). Logs what went wrong. 0; -ENOMEM: the server keeps the policy that it has.
int turn_state_renew_peer_policy(const struct settings *settings, const struct interface *interface,
                                 const struct plane_config *plane, struct turn_state *state);

// Listeners, relays, sizes and policy are those of the plane; tcp_listener is for tcp_relay. Logs what went wrong.
// 0 or -errno.
int turn_state_init(const struct settings *settings, const struct interface *interface,
                    const struct plane_config *plane, const struct turn_limits *limits,
                    const struct turn_tcp_listener *tcp_listener, struct turn_state *ret_state);
void turn_state_done(struct turn_state *state);
