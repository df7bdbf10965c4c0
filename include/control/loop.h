// SPDX-License-Identifier: BSD-3-Clause
// The control thread: takes up what workers punt, what the kernel says, and what time does, one
// event after the other.
#pragma once

#include "control/forwarder.h"
#include "control/next_hop.h"
#include "control/reload.h"
#include "control/session_log.h"
#include "control/tcp_relay.h"
#include "exchange/plane.h"
#include "turn/server.h"

struct loop;

struct loop_config { // all borrowed
    struct plane *plane;
    struct turn_server *server;
    struct next_hops *hops;
    struct forwarder *forwarder;
    struct tcp_relay *tcp_relay;         // NULL: TCP is not relayed
    struct session_log *sessions;        // NULL: nobody is told of ends
    struct reload *reload;               // on SIGHUP; NULL: nothing is reloaded
    void (*every_second)(void *context); // NULL: nothing
    void *context;
};

// From now on SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 wait for loop_run, and SIGPIPE is
// ignored, as the latter two are when nobody takes them up; call it before there are other threads.
void loop_hold_signals(void);

// SIGTERM, SIGINT and SIGHUP (unless it is ignored, as under nohup, or nothing is reloaded) are
// taken over. Logs what went wrong. 0 or -errno.
int loop_create(const struct loop_config *config, struct loop **ret_loop);
void loop_destroy(struct loop *loop);

// For whoever waits on the control thread as well. Lives as long as the loop.
struct event_base;
struct event_base *loop_base(const struct loop *loop);

// Until a signal or loop_stop says so; a second signal ends the process at once. 0; -ENODEV,
// logged: the interface has gone.
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// End all allocations of a server that drains, some at a time, between other events.
void loop_end_allocations(struct loop *loop);

// Remove, some at a time, between other events, what a new peer policy denies.
void loop_revoke(struct loop *loop);

// As SIGHUP does: at once, or when workers have what the last one sent. There is something to
// reload.
void loop_reload(struct loop *loop);
