// SPDX-License-Identifier: BSD-3-Clause
// A TURN server with a virtual clock and seeded randomness, and clients that sign their requests:
// what the turn tests share. Every response is checked as it comes: transaction id, class,
// integrity, FINGERPRINT, SOFTWARE.
#pragma once

#include "proto/builder.h"
#include "proto/message.h"
#include "turn/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIXTURE_WALL_S 1700000000u

// How a client authenticates.
enum client_style {
    CLIENT_MD5_SHA1,    // no PASSWORD-ALGORITHM, MESSAGE-INTEGRITY: what most clients do
    CLIENT_MD5_SHA256,  // no PASSWORD-ALGORITHM, MESSAGE-INTEGRITY-SHA256
    CLIENT_SHA256,      // PASSWORD-ALGORITHM SHA-256
    CLIENT_NAMED_MD5,   // PASSWORD-ALGORITHM MD5
    CLIENT_SHA256_SHA1, // PASSWORD-ALGORITHM SHA-256, MESSAGE-INTEGRITY
};

struct client {
    struct five_tuple five_tuple;
    const char *username;
    const char *password;
    const char *realm;
    enum client_style style;
    uint16_t worker; // that receives its packets
    bool use_userhash;
    bool use_fingerprint;
};

// A kernel that listens where it is told to, but for the first few times.
struct fixture_listener {
    int refusals[16]; // -errno
    unsigned refusal_count;
    unsigned calls;
    uint32_t allocation; // of the last call
    struct turn_relayed_address address;
};

struct fixture {
    struct turn_config config;
    struct credentials *credentials;
    struct peer_policy *policy;
    struct turn_server *server;
    struct turn_time now;
    struct turn_output output;
    struct stun_message response; // to the last request; valid when output.response_len is not 0
    uint64_t random_state;
    uint32_t transaction;
    struct fixture_listener listener;
};

// A request under construction. Attributes go into builder; what follows them is the client's.
struct request {
    struct stun_builder builder;
    uint8_t buffer[4096];
};

struct ip_address ip(const char *text);
struct transport_address address(const char *text);
struct ip_prefix prefix(const char *text);
struct span text_span(const char *text);

// Two workers, one relay a family (203.0.113.1 and 2001:db8::1, ports 49152-65535), roomy limits,
// users alice:wonder and bob:builder, realm example.org, REST secrets "new" and "old". No server
// yet: change config, then fixture_start.
void fixture_init(struct fixture *fixture);
void fixture_start(struct fixture *fixture);
// Between the two: TCP allocations are let in, with room for 8 connections, 4 of each allocation.
void fixture_allow_tcp(struct fixture *fixture);
// The server and all it owns must be gone from memory after this.
void fixture_done(struct fixture *fixture);
// fixture_init and fixture_start, as cmocka's setup and teardown.
int fixture_setup(void **state);
int fixture_teardown(void **state);
// The same with fixture_allow_tcp.
int fixture_setup_tcp(void **state);

// Alice at 192.0.2.1:<port>, talking to 203.0.113.1:3478 over UDP.
struct client client_make(uint16_t port);
// The same over TCP.
struct client client_make_tcp(uint16_t port);
void client_use_rest(struct client *client, const char *username, const char *secret,
                     char password[29]);

void request_begin(struct fixture *fixture, struct request *request, uint16_t method);
// Add credentials and integrity; returns the finished message.
struct span client_sign(struct fixture *fixture, const struct client *client,
                        struct request *request);
// Sign, deliver, check the response. Returns its error code, 0 for a success.
unsigned client_send(struct fixture *fixture, const struct client *client, struct request *request);
// Deliver what is signed already, and check the response as client_send does.
unsigned client_send_bytes(struct fixture *fixture, const struct client *client, struct span bytes);

// Whole requests in their plainest form; each returns the error code.
unsigned client_allocate(struct fixture *fixture, const struct client *client);
unsigned client_allocate_family(struct fixture *fixture, const struct client *client,
                                enum ip_family family);
unsigned client_allocate_dual(struct fixture *fixture, const struct client *client);
unsigned client_allocate_pair(struct fixture *fixture, const struct client *client,
                              uint8_t ret_token[8]);
unsigned client_allocate_token(struct fixture *fixture, const struct client *client,
                               const uint8_t token[8]);
unsigned client_refresh(struct fixture *fixture, const struct client *client, uint32_t lifetime_s);
unsigned client_refresh_family(struct fixture *fixture, const struct client *client,
                               enum ip_family family, uint32_t lifetime_s);
unsigned client_permit(struct fixture *fixture, const struct client *client, const char *peer_ip);
unsigned client_bind(struct fixture *fixture, const struct client *client, uint16_t channel,
                     const char *peer);

// RFC 6062. Connect returns 0 when there is no response yet, and the connection's id.
unsigned client_allocate_tcp(struct fixture *fixture, const struct client *client);
unsigned client_connect(struct fixture *fixture, const struct client *client, const char *peer,
                        uint32_t *ret_connection);
unsigned client_connection_bind(struct fixture *fixture, const struct client *client,
                                uint32_t connection);
// Allocate, permit 8.8.8.8, and let a peer there connect from this port. Returns the connection.
uint32_t client_attempted(struct fixture *fixture, const struct client *client, uint16_t port);

// What the last response says.
uint32_t response_lifetime_s(const struct fixture *fixture);
// index: of several. False: not that many.
bool response_relayed(const struct fixture *fixture, unsigned index,
                      struct transport_address *ret_address);

// Turn the clock, expire all that is due, acknowledge every removal at once.
void fixture_advance_ms(struct fixture *fixture, uint64_t ms);
// Acknowledge the removals in the last output.
void fixture_acknowledge(struct fixture *fixture);
unsigned fixture_count_commands(const struct fixture *fixture, enum turn_command_kind kind);
struct turn_usage fixture_usage(const struct fixture *fixture);
void assert_all_released(const struct fixture *fixture);
