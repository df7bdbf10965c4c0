// SPDX-License-Identifier: BSD-3-Clause
// Why an allocation ends, and who is told. Part of turn/server.h, which includes it.
#pragma once

struct turn_allocation_view;

// X(id, name in logs)
#define TURN_END_LIST(X)                                                                                               \
    X(EXPIRED, expired)           /* nobody refreshed it */                                                            \
    X(DELETED, deleted)           /* its client refreshed it to 0 */                                                   \
    X(DISCONNECTED, disconnected) /* its client's connection is gone */                                                \
    X(KILLED, killed)             /* an operator ended it */                                                           \
    X(SHUT_DOWN, shut_down)       /* the relay stops */

enum turn_end {
#define X(id, name) TURN_END_##id,
    TURN_END_LIST(X)
#undef X
    TURN_END_COUNT,
};

const char *turn_end_name(enum turn_end end);

// Is told of each allocation that ends, once, while it is still all there: the view and what it points to are good for
// the call. It must not call the server. ended may be NULL.
struct turn_watcher {
    void (*ended)(void *context, const struct turn_allocation_view *view, enum turn_end end);
    void *context;
};
