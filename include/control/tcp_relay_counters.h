// SPDX-License-Identifier: BSD-3-Clause
// What the control thread counts of the sockets of TCP allocations (RFC 6062). The list is the metric list: name, help.
// What their joined connections carry, the threads of streams count.
#pragma once

#include <stdint.h>

#define TCP_RELAY_COUNTER_LIST(X)                                                                                      \
    X(listeners, "relayed addresses that listen now")                                                                  \
    X(connections, "connections to peers now, those under way and those joined included")                              \
    X(listen_failures, "times that nobody could listen, for another reason than that the port is taken")               \
    X(connects, "connections to peers tried (Connect)")                                                                \
    X(connects_made, "of them, made")                                                                                  \
    X(connects_refused, "of them, refused by the peer")                                                                \
    X(connects_unreachable, "of them, without a way to the peer")                                                      \
    X(connects_timed_out, "of them, without an answer in time")                                                        \
    X(connects_failed, "of them, failed for another reason, such as a want of file descriptors")                       \
    X(connects_given_up, "of them, given up because the allocation ended")                                             \
    X(accepted, "connections of peers accepted, each told to its client (ConnectionAttempt)")                          \
    X(refused, "connections of peers closed at once: no permission, or there are too many")                            \
    X(accept_pauses, "times that accepting was put off for want of file descriptors or memory")                        \
    X(bound, "connections given to the thread of their client's data connection (ConnectionBind)")                     \
    X(bound_late, "ConnectionBinds for connections that the peer had ended meanwhile")                                 \
    X(unbound, "connections to peers that stood and ended without a ConnectionBind")

struct tcp_relay_counters {
#define X(name, help) uint64_t name;
    TCP_RELAY_COUNTER_LIST(X)
#undef X
};
