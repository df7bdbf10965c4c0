// SPDX-License-Identifier: BSD-3-Clause
// What a thread of clients' connections has, for the files that make it up.
#pragma once

#include "base/timer_wheel.h"
#include "control/stream_bandwidth.h"
#include "control/stream_buffer.h"
#include "control/stream_counters.h"
#include "control/stream_farewells.h"
#include "control/stream_limits.h"
#include "control/stream_pipe.h"
#include "control/stream_socket.h"
#include "control/stream_sources.h"
#include "control/stream_table.h"
#include "exchange/command.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

// Where bytes of sockets are read to: the rest of a message as long as a header can say, and then some.
#define STREAM_RECEIVE_LEN (128 * 1024)

struct dtls_server;
struct event;
struct event_base;
struct ip_prefix;
struct plane;
struct stream_join;
struct tls_contexts;

enum stream_phase {
    STREAM_PHASE_PROXY,     // a PROXY header is to come
    STREAM_PHASE_HANDSHAKE, // TLS's
    STREAM_PHASE_OPEN,
    STREAM_PHASE_JOINED, // with a peer's connection
    STREAM_PHASE_GONE,   // closed; the control plane has to hear of it yet
};

struct stream_connection {
    struct stream_socket socket;
    struct stream_buffer in;  // not yet whole, or not yet taken by a worker
    struct stream_buffer out; // not yet taken by the socket
    struct stream_join *join; // from the order to join on
    TAILQ_ENTRY(stream_connection) age;     // in half_open, quiet or paused
    TAILQ_ENTRY(stream_connection) waiting; // in waiting, or of those gone in untold
    TAILQ_ENTRY(stream_connection) touched;
    uint32_t interest; // of epoll's events
    uint32_t since_s;  // the phase
    uint32_t heard_s;  // last byte of the client's
    uint32_t frame_s;  // first byte of the message that is not whole
    uint32_t stuck_s;  // when the client took a byte of what waits for it, or that began to wait
    uint32_t bound_s;  // when a ConnectionBind went
    uint32_t generation; // tells it from those that had its place before
    struct client_key client;
    uint8_t phase;         // enum stream_phase
    bool is_tls : 1;
    bool is_proxied : 1;   // client is what a PROXY header says
    bool is_counted : 1;   // among the connections of its source
    bool is_listed : 1;    // in the table, by client
    bool is_half_open : 1; // in that list
    bool is_quiet : 1;     // in that list: no allocation
    bool is_waiting : 1;   // in that list
    bool is_paused : 1;    // in that list
    bool is_touched : 1;   // in that list
    bool is_blocked : 1;   // a worker has no room for its next message
    bool is_binding : 1;   // a ConnectionBind is not answered yet: what follows may be a peer's
    bool is_bound : 1;     // it was answered with success
    bool has_spoken : 1;   // workers know it
    bool has_allocation : 1;
};

TAILQ_HEAD(stream_connections, stream_connection);

struct stream_listening {
    int fd;
    uint16_t index; // of the plane's listeners
};

#define STREAM_THREAD_LISTENERS_MAX 192 // PLANE_STREAM_LISTENERS_MAX

struct stream_thread {
    struct plane *plane;
    struct tls_contexts *tls;
    struct event_base *base;
    struct dtls_server *dtls; // NULL: none
    const struct ip_prefix *proxy_sources;
    unsigned proxy_source_count;
    uint16_t index;
    bool shares_cpu;
    struct stream_limits limits;
    struct stream_table table;
    struct stream_sources sources;
    struct timer_wheel timers; // of connections
    struct stream_connections half_open; // the oldest first
    struct stream_connections quiet;     // open, and without an allocation: the oldest first
    struct stream_connections waiting;   // to be looked at without another word of their sockets
    struct stream_connections touched;   // have something to write since the rings were read
    struct stream_connections paused;    // joined, and without bandwidth: who got some last is last
    struct stream_connection *paused_next; // of those, whom to look at next; NULL: the first
    struct stream_connections untold;    // gone, and there was no room for the news
    struct stream_farewells farewells;
    uint32_t half_open_count;
    uint32_t generation; // of the last connection
    uint32_t now_s;
    bool hurries; // one that waits need not wait for a worker
    int epoll;
    struct event *doorbell;
    struct event *sockets;
    struct event *again;
    struct event *second;
    struct event *pause; // is over
    struct stream_listening listeners[STREAM_THREAD_LISTENERS_MAX];
    unsigned listener_count;
    uint32_t accepts_again_s; // 0: it accepts
    uint32_t complained_s;    // of not being able to
    uint32_t stopping;        // set by another thread; atomic
    uint8_t *received;        // STREAM_RECEIVE_LEN bytes
    struct stream_pipe pipe;  // between connections that are joined
    struct stream_bandwidth bandwidth; // of those
    struct stream_counters counters;
};

// What epoll says an event is of.
enum stream_tag {
    STREAM_TAG_LISTENER,
    STREAM_TAG_CLIENT,
    STREAM_TAG_PEER,
};

struct stream_tagged {
    uint32_t index;
    uint32_t generation; // of a connection
    enum stream_tag tag;
};

#define STREAM_GENERATIONS (1u << 24)

static inline uint64_t stream_tag_write(const struct stream_tagged *tagged)
{
    return (uint64_t)tagged->tag << 56 | (uint64_t)tagged->generation << 32 | tagged->index;
}

static inline struct stream_tagged stream_tag_read(uint64_t word)
{
    return (struct stream_tagged){(uint32_t)word, word >> 32 & (STREAM_GENERATIONS - 1), (enum stream_tag)(word >> 56)};
}
