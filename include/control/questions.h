// SPDX-License-Identifier: BSD-3-Clause
// What operators ask over the control socket, answered on the control thread: one question after
// the other, and one that takes longer in steps between other events.
#pragma once

#include "control/metrics.h"

#include <stdbool.h>
#include <stdint.h>

struct allocation_traffic;
struct event_base;
struct forwarder;
struct loop;
struct questions;
struct settings;

struct questions_config { // borrowed
    struct event_base *base;
    struct metrics_sources sources;
    const struct settings *settings; // in force
    struct turn_server *server;
    struct forwarder *forwarder;
    struct tcp_relay *tcp_relay; // NULL: TCP is not relayed
    struct drain *drain;
    struct loop *loop;
    // What a live allocation has carried; of a TCP one, no packets. False: it is not known yet.
    bool (*traffic)(void *context, const struct turn_allocation_view *view,
                    struct allocation_traffic *ret_traffic);
    void *context;
};

// The plane runs. Where there is no control socket nobody asks. Logs what went wrong. 0 or -errno.
int questions_create(const struct questions_config *config, struct questions **ret_questions);
// Who still waits is told that the relay stops.
void questions_destroy(struct questions *questions);
