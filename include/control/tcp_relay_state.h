// SPDX-License-Identifier: BSD-3-Clause
// What there is of TCP allocations' sockets, for the files that deal with them.
#pragma once

#include "base/clock.h"
#include "base/index_map.h"
#include "control/tcp_relay.h"
#include "exchange/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct stream_account;

// What an event of the epoll is of.
struct tcp_watched {
    int fd; // -1: closed, or a thread's
    bool is_listener;
};

enum tcp_peer_phase {
    TCP_PEER_CONNECTING,
    TCP_PEER_UNBOUND,
    TCP_PEER_JOINED, // the socket is the thread's, or will be when it takes the order
    TCP_PEER_OVER,   // closed; the TURN server has to hear of it yet
};

struct tcp_peer {
    struct tcp_watched watched;
    struct tcp_listening *listener; // NULL: the TURN server knows it no more, and only an order is left
    TAILQ_ENTRY(tcp_peer) sibling;
    TAILQ_ENTRY(tcp_peer) reported;
    TAILQ_ENTRY(tcp_peer) ordered;
    uint32_t id;
    struct stream_account *account; // a share for the thread, once it is bound
    struct client_key client;       // its data connection, once it is bound
    uint16_t thread;                // that has this
    uint8_t phase;                  // enum tcp_peer_phase
    uint8_t order;                  // enum stream_order_kind, where has_order
    bool has_order : 1;             // in that list
    bool has_report : 1;            // in that list: it stands, or it is over
};

TAILQ_HEAD(tcp_peers, tcp_peer);

struct tcp_listening {
    struct tcp_watched watched;
    uint32_t allocation;
    struct turn_relayed_address address;
    struct tcp_peers connections;
    struct stream_account *account; // one share; NULL: none
    TAILQ_ENTRY(tcp_listening) accepting;
    bool is_accepting; // in that list
};

TAILQ_HEAD(tcp_listenings, tcp_listening);

struct tcp_relay {
    struct tcp_relay_config config;
    int epoll;
    struct event *sockets;
    struct event *again;
    struct tcp_listening **by_port[PLANE_RELAYS_MAX]; // from the relay's first port on
    struct tcp_peer *connections;
    struct index_pool pool; // twice as many as the TURN server may know: orders may outlive them
    struct index_map by_id;
    struct tcp_peers reports;
    struct tcp_peers orders[PLANE_STREAM_THREADS_MAX];
    struct tcp_listenings accepting;
    uint64_t complained_ms;
    bool lacks_files; // to accept
    const struct tcp_listening *latest; // NULL: it has gone
    struct tcp_relay_counters counters;
    struct turn_output output;
};

static inline struct turn_time tcp_relay_now(void)
{
    return (struct turn_time){.monotonic_ms = clock_monotonic_ms(), .wall_s = clock_wall_s()};
}

// One word of a socket's, until it is asked for again. 0 or -errno.
int tcp_relay_watch(struct tcp_relay *relay, int operation, struct tcp_watched *watched, uint32_t events);
void tcp_relay_close_socket(struct tcp_watched *watched);
// Logs, once in a while, that there is no socket to be had.
void tcp_relay_complain(struct tcp_relay *relay, int error);
// What the TURN server has made of an event.
void tcp_relay_answer(struct tcp_relay *relay);
