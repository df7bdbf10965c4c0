// SPDX-License-Identifier: BSD-3-Clause
// A server of DTLS whose worker is the test, clients in memory, and time that stands still unless told.
#pragma once

#include "control/dtls_server.h"
#include "exchange/plane.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define FIXTURE_DATAGRAMS 32
#define FIXTURE_DATAGRAM  16640

// Listeners of the plane.
#define FIXTURE_V4        "192.0.2.1:5349"
#define FIXTURE_OTHER_V4  "192.0.2.2:5349"
#define FIXTURE_V6        "[2001:db8::1]:5349"
#define FIXTURE_WORKERS   2
#define FIXTURE_NEWS_LEN  (FIXTURE_RING_LEN - 1)
#define FIXTURE_RING_LEN  256

enum {
    FIXTURE_LISTENER_V4 = 3, // behind one of UDP, and those of another thread and another transport
    FIXTURE_LISTENER_OTHER_V4,
    FIXTURE_LISTENER_V6,
};

struct fixture_datagrams {
    unsigned count;
    size_t lens[FIXTURE_DATAGRAMS];
    uint8_t bytes[FIXTURE_DATAGRAMS][FIXTURE_DATAGRAM];
};

struct fixture_client {
    struct transport_address address, server;
    uint8_t macs[12]; // of what goes to it: destination, source
    uint16_t worker;
    SSL *ssl;
    struct fixture_datagrams out, in; // to the server, from it
    // Of the last datagram from the server.
    uint8_t seen_macs[12];
    uint16_t seen_mtu;
    uint16_t seen_worker;
};

struct fixture_message {
    struct client_key client;
    uint16_t worker;
    size_t len;
    uint8_t bytes[FIXTURE_DATAGRAM];
};

struct fixture {
    struct plane *plane;
    struct event_base *base;
    struct tls_contexts *tls;
    struct dtls_server *server;
    const struct dtls_counters *counters;
    unsigned sent_elsewhere; // datagrams to others than whose were collected
};

// Once for all tests. 0 or -1.
int fixture_group_set_up(void **state);
int fixture_group_tear_down(void **state);

// Beyond that, the usual. All buffers have to have come back at the end.
struct fixture *fixture_create(const struct dtls_server_config *what);
void fixture_destroy(struct fixture *fixture);

// Certificate "first" is the one that is served, "second" another, "long" one longer than a datagram.
void fixture_use_certificate(struct fixture *fixture, const char *name);

// Time goes on, and what is due is done.
void fixture_pass_ms(struct fixture *fixture, uint64_t ms);

struct fixture_client *fixture_client(const char *address, const char *server);
void fixture_client_free(struct fixture_client *client);

// The client's part: what it says goes into out. True: the handshake is over.
bool fixture_client_handshake(struct fixture_client *client);
void fixture_client_say(struct fixture_client *client, const void *message, size_t len);
// Length of the next message, 0: none.
size_t fixture_client_hear(struct fixture_client *client, uint8_t message[FIXTURE_DATAGRAM]);
// What it has sent and nobody answered is sent again, when it is time.
void fixture_client_retransmit(struct fixture_client *client);

// out goes to the server.
void fixture_deliver(struct fixture *fixture, struct fixture_client *client);
void fixture_deliver_one(struct fixture *fixture, const struct fixture_client *client, const void *bytes,
                         size_t len);
// What the server has sent goes into the client's in; what was for others is lost.
void fixture_collect(struct fixture *fixture, struct fixture_client *client);
// It is lost. Number of datagrams.
unsigned fixture_lose(struct fixture *fixture);
// What the server has for workers, one message. False: none.
bool fixture_message(struct fixture *fixture, struct fixture_message *ret_message);

// Both, until nobody has anything to say. True: the handshake is over.
bool fixture_shake_hands(struct fixture *fixture, struct fixture_client *client);
