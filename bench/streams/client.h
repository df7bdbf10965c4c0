// SPDX-License-Identifier: BSD-3-Clause
// A TURN client with one allocation and one channel, over whatever wire (RFC 8656 sections 7, 12).
#pragma once

#include "proto/integrity.h"
#include "proto/message.h"
#include "stamp.h"
#include "wire.h"

#define CLIENT_CHANNEL    0x4000
#define CLIENT_IN_BYTES   (1u << 18)
#define CLIENT_BULK_BYTES 16384

struct client {
    struct wire wire;
    uint32_t number;
    uint32_t payload_len;
    struct transport_address relayed;
    struct sockaddr_storage relayed_sockaddr;
    socklen_t relayed_sockaddr_len;
    // Without which nothing is granted.
    char realm[128];
    uint8_t nonce[128];
    uint32_t nonce_len;
    struct integrity_key key;
    struct stamps ways[WAY_COUNT];
    uint8_t expected[STAMP_PAYLOAD_MAX]; // of what comes to the client
    // What goes to the peer: as many messages as a write takes.
    uint8_t *bulk;
    uint32_t bulk_count, message_len;
    uint32_t bulk_done; // bytes of the bulk at hand that were taken; bulk_count messages long: all
    bool is_readable;
    uint32_t in_len;
    uint8_t in[CLIENT_IN_BYTES];
};

struct client_config {
    const struct wires *wires;
    const char *user, *password;
    struct transport_address peer;
    uint32_t payload_len;
};

// Connects, allocates, binds the channel and waits for each answer. Whatever is refused ends the
// process. The client: all zero.
void client_connect(struct client *client, uint32_t number, const struct client_config *config);
// Has a Binding request answered, or ends the process.
void client_ask_binding(struct client *client);
// The same as client_connect(), for media.
void client_set_up(struct client *client, uint32_t number, const struct client_config *config);
void client_close(struct client *client);

// Writes to the wire until it takes no more, or `window` packets are on their way: one
// write may be more. The packets that
// were begun.
uint32_t client_send(struct client *client, uint32_t window);
// Reads once, and checks what it was. False: there is nothing more for now.
bool client_receive(struct client *client);

// A Binding request, and whether the next message is its answer.
uint32_t client_write_binding(uint8_t request[STUN_HEADER_LEN], uint64_t id);
