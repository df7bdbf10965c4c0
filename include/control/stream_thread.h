// SPDX-License-Identifier: BSD-3-Clause
// One thread's share of clients' connections: it waits for sockets, for what workers have for clients, for the control
// plane's orders and for time, on an event base that may serve others too.
#pragma once

#include "base/address.h"
#include "control/dtls_counters.h"
#include "control/stream_counters.h"
#include "control/stream_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct plane;
struct stream_thread;
struct tls_contexts;

struct stream_thread_config { // all borrowed
    struct plane *plane;
    struct tls_contexts *tls; // NULL where no listener is one of TLS or DTLS
    struct event_base *base;
    uint16_t index; // of the plane's stream threads
    uint16_t mtu; // of IP packets to clients over DTLS, bytes
    bool shares_cpu; // a worker may be on the same one
    struct stream_limits limits;
    const struct ip_prefix *proxy_sources;
    unsigned proxy_source_count;
};

// Its sockets listen. Logs what went wrong. 0 or -errno.
int stream_thread_create(const struct stream_thread_config *config, struct stream_thread **ret_thread);
// Connections are closed, and the control plane hears nothing of it.
void stream_thread_destroy(struct stream_thread *thread);

// From now on events of the base serve clients.
void stream_thread_start(struct stream_thread *thread);
// From any thread: the loop of the base ends soon.
void stream_thread_stop(struct stream_thread *thread);

const struct stream_counters *stream_thread_counters(const struct stream_thread *thread);
// NULL: there is no DTLS.
const struct dtls_counters *stream_thread_dtls_counters(const struct stream_thread *thread);
