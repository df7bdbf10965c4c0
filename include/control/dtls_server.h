// SPDX-License-Identifier: BSD-3-Clause
// TURN over DTLS (RFC 7350): the associations of one stream thread, DTLS 1.2 (RFC 6347) by OpenSSL. Datagrams come from
// workers and go back by them; what is in a record is a message of the client's for the workers, and what they have for
// the client leaves as a record in a datagram. There is nothing of a client in memory before a cookie has proved its
// address. All functions: the thread's only.
#pragma once

#include "base/bytes.h"
#include "control/dtls_counters.h"
#include "control/tls_contexts.h"
#include "exchange/command.h"

#include <stdint.h>

struct dtls_server;
struct event_base;
struct plane;
struct stream_hop;
struct stream_packet;

#define DTLS_SERVER_ASSOCIATIONS_MAX 65536
#define DTLS_SERVER_HANDSHAKES_MAX   1024
#define DTLS_SERVER_QUIET_S          60
#define DTLS_SERVER_IDLE_S           3660
#define DTLS_SERVER_MTU              1500

struct dtls_server_config { // all borrowed
    struct plane *plane;
    struct tls_contexts *tls; // made with dtls_server_cookies
    struct event_base *base;  // the thread's
    uint16_t thread;
    uint16_t mtu;              // of IP packets to clients, bytes; 0: DTLS_SERVER_MTU
    uint32_t associations_max; // 0: DTLS_SERVER_ASSOCIATIONS_MAX
    uint32_t handshakes_max;   // of those, ones whose handshake is not over; 0: DTLS_SERVER_HANDSHAKES_MAX
    uint32_t per_source;       // of one IPv4 address or one /64; 0: any number
    uint32_t quiet_s;          // without traffic, of one that has had no allocation; 0: DTLS_SERVER_QUIET_S
    uint32_t idle_s;           // of one that has; no less than the longest lifetime; 0: DTLS_SERVER_IDLE_S
};

// For tls_contexts_create().
extern const struct tls_cookies dtls_server_cookies;

// 0 or -errno.
int dtls_server_create(const struct dtls_server_config *config, struct dtls_server **ret_server);
// Clients are told; nobody else is.
void dtls_server_destroy(struct dtls_server *server);

// A client's datagram, by that worker.
void dtls_server_receive(struct dtls_server *server, const struct stream_packet *datagram, uint16_t worker);
// A message for a client: whole, without padding. hop: where routes lead; without an MTU it goes where the client's
// datagrams come from.
void dtls_server_send(struct dtls_server *server, const struct client_key *client, struct span message,
                      const struct stream_hop *hop);
// After each drain of the rings.
void dtls_server_flush(struct dtls_server *server);
// The control plane is done with the client. Nothing when there is no such association. The control plane hears that
// it is gone, as whenever one ends.
void dtls_server_close(struct dtls_server *server, const struct client_key *client);

const struct dtls_counters *dtls_server_counters(const struct dtls_server *server);
