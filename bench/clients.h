// SPDX-License-Identifier: BSD-3-Clause
// The clients of the control plane's benchmarks: their users, their signed requests one after the
// other (RFC 8656 sections 7 to 12), and whether a response serves them.
#pragma once

#include "base/bytes.h"
#include "proto/five_tuple.h"
#include "proto/integrity.h"
#include "results_file.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENTS_MAX            1000000
#define CLIENTS_USERS_MAX      1000000
#define CLIENT_MESSAGE_MAX_LEN 512

// What each client asks for, in this order.
enum client_request {
    CLIENT_ALLOCATE,
    CLIENT_CREATE_PERMISSION,
    CLIENT_CHANNEL_BIND, // to the same peer
    CLIENT_REFRESH,
    CLIENT_DELETE,
    CLIENT_REQUEST_COUNT,
};

extern const char *const client_request_names[CLIENT_REQUEST_COUNT];

struct client_options {
    uint32_t allocations;
    uint32_t users;
    bool rest;
    bool sha256;
    const char *json;
};

struct client_user {
    char name[64];
    char password[64];
    struct integrity_key key;
};

struct clients {
    struct client_options options;
    struct client_user *users;
    struct credentials *credentials;
    struct peer_policy *policy;
    struct stateless_policy stateless; // of the server that they ask
};

// Text for --help of what client_options_read() reads.
extern const char client_options_help[];

// Ends the process when they are wrong, or ask for help.
void client_options_read(int argc, char **argv, const char *help,
                         struct client_options *ret_options);

// Opens the file of --json with what was asked for.
void client_options_write(const struct client_options *options, double tsc_hz,
                          struct results_file *ret_file);

// Users whose time-limited credentials are good for a day. Ends the process when it cannot.
void clients_create(struct clients *clients, const struct client_options *options, uint64_t wall_s);
void clients_destroy(struct clients *clients);

// A server that serves them, one worker's; its limits are left alone.
void clients_configure(const struct clients *clients, struct turn_config *config);

struct five_tuple client_five_tuple(uint32_t client);

// Signed at that time. Returns the message's length.
size_t client_write(const struct clients *clients, enum client_request request, uint32_t client,
                    uint64_t monotonic_ms, uint8_t bytes[CLIENT_MESSAGE_MAX_LEN]);

// Whether it is a success for this client's request, with what belongs in it and an integrity that
// is right.
bool client_is_served(const struct clients *clients, enum client_request request, uint32_t client,
                      struct span response);

// Ends the process, with a word on what is wrong, unless condition.
void require(bool condition, const char *what);
