// SPDX-License-Identifier: BSD-3-Clause
// Clients over TCP and TLS (RFC 8656 section 2.1): the threads that have their connections, or the control thread's
// share of that, and what they count.
#pragma once

#include "base/address.h"
#include "control/dtls_counters.h"
#include "control/stream_counters.h"
#include "control/stream_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct plane;
struct stream_server;
struct tls_contexts;

struct stream_server_config { // all borrowed
    struct plane *plane;      // its stream_listeners say what to listen on, its stream_thread_count how many threads
    struct tls_contexts *tls; // NULL where no listener is one of TLS or DTLS
    struct event_base *base;  // the control loop's, for threads == 0
    uint16_t threads;         // 0: everything happens on base, and stream_thread_count is 1; else stream_thread_count
    uint16_t mtu; // of IP packets to clients over DTLS, bytes
    bool shares_cpu; // a worker may be on the same one as a thread
    struct stream_limits limits;
    const struct ip_prefix *proxy_sources; // whose connections begin with a PROXY header, version 2
    unsigned proxy_source_count;
};

// All sockets listen; nobody is served yet. Before privileges go, as ports below 1024 need them. Logs what went wrong.
// 0 or -errno.
int stream_server_create(const struct stream_server_config *config, struct stream_server **ret_server);

// Serves: with threads of its own, which take the caller's CPUs and no signals, or on base. After stream_set_pool().
// Logs what went wrong; then destroy. SIGPIPE is ignored. 0 or -errno.
int stream_server_start(struct stream_server *server);

// Threads have ended and connections are closed; the control plane hears nothing of that. Before the event base, the
// plane and the contexts go.
void stream_server_destroy(struct stream_server *server);

// Of all threads. Any thread.
void stream_server_sum(const struct stream_server *server, struct stream_counters *ret_counters);
void stream_server_sum_dtls(const struct stream_server *server, struct dtls_counters *ret_counters);
