// SPDX-License-Identifier: BSD-3-Clause
// A TURN server as RFC 8656 and RFC 6062 tell it, in the plainest way: arrays, linear search, whole seconds.
// fuzz_server.c holds the real one against it. Written from the RFCs and from the contracts in include/turn, sharing no
// code with src/turn.
#pragma once

#include "turn/server.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_ALLOCATIONS  16 // with those that wait for an acknowledgement
#define MODEL_PERMISSIONS  8  // of one allocation
#define MODEL_CHANNELS     8
#define MODEL_RESERVATIONS 16
#define MODEL_PEERS_MAX    130
#define MODEL_CONNECTIONS  8

// One attribute of a request: how it comes, and what it says.
enum model_form {
    MODEL_ABSENT,
    MODEL_GOOD,
    MODEL_MALFORMED,
};

struct model_attribute {
    enum model_form form;
    uint32_t value;
};

struct model_peer {
    bool malformed;
    struct transport_address address;
    bool ip_allowed;      // by policy, for a permission
    bool address_allowed; // by policy, for a channel
};

enum model_family_value {
    MODEL_FAMILY_V4 = 1,
    MODEL_FAMILY_V6 = 2,
    MODEL_FAMILY_OTHER = 5,
};

// What one request says, once its sender is known.
struct model_request {
    uint16_t method;
    struct five_tuple five_tuple;
    uint16_t worker;
    const char *username;   // as the server must know it
    const char *quota_name; // whose limits count
    uint16_t algorithm;     // of the key
    uint8_t transaction_id[12];
    bool unknown_attribute;
    struct model_attribute transport; // value: the protocol
    struct model_attribute lifetime;
    struct model_attribute requested_family; // value: enum model_family_value
    struct model_attribute additional_family;
    struct model_attribute even_port; // value: the R bit
    bool dont_fragment;
    struct model_attribute connection; // value: the CONNECTION-ID
    struct model_attribute token;
    uint8_t token_bytes[8];
    struct model_attribute channel;
    struct model_peer peers[MODEL_PEERS_MAX];
    unsigned peer_count;
};

struct model_relayed {
    bool live;
    uint16_t relay;
    uint16_t port;
    uint64_t deadline_s;
    unsigned refused; // ADDRESS-ERROR-CODE
};

struct model_permission {
    bool used;
    struct ip_address peer;
    uint64_t deadline_s;
};

struct model_channel {
    bool used;
    uint16_t number;
    struct transport_address peer;
    uint64_t deadline_s;
};

enum model_connection_state {
    MODEL_NO_CONNECTION,
    MODEL_CONNECTING,
    MODEL_UNBOUND,
    MODEL_BOUND,
};

// To a peer, of a TCP allocation.
struct model_connection {
    enum model_connection_state state;
    uint32_t id;         // CONNECTION-ID
    uint32_t allocation; // id
    struct transport_address peer;
    struct five_tuple client; // BOUND: its data connection
    uint64_t deadline_s;      // until it is bound
};

struct model_allocation {
    bool live;
    bool is_tcp;
    unsigned awaited;          // acknowledgements
    bool whole_removed;        // REMOVE_ALLOCATION awaits its own
    struct model_relayed gone[2]; // live: its REMOVE_RELAY awaits an acknowledgement
    uint32_t id;
    struct five_tuple five_tuple;
    const char *username;
    const char *quota_name;
    uint16_t algorithm; // of the key that made it
    uint16_t worker;
    uint16_t received_by;
    uint8_t transaction_id[12];
    bool has_token;
    uint8_t token[8];
    struct model_relayed relayed[2]; // IPv4, IPv6
    struct model_permission permissions[MODEL_PERMISSIONS];
    struct model_channel channels[MODEL_CHANNELS];
};

struct model_reservation {
    bool used;
    uint8_t token[8];
    uint16_t relay;
    uint16_t port;
    uint64_t deadline_s;
    const char *quota_name;
};

// What the kernel says when it is to listen: refusals first, then yes.
struct model_kernel {
    unsigned refusals;
    bool is_exhausted; // each of them ends the request
    // Of the last request.
    unsigned count;
    uint32_t allocation;
    struct turn_relayed_address addresses[2 * TURN_RELAYS_MAX]; // that were asked for
    bool granted[2 * TURN_RELAYS_MAX];
};

struct model {
    const struct turn_config *config; // its limits may change
    struct turn_limits room;          // those of the start
    uint64_t now_ms;
    struct model_kernel kernel;
    struct model_connection connections[MODEL_CONNECTIONS];
    struct model_allocation allocations[MODEL_ALLOCATIONS];
    struct model_reservation reservations[MODEL_RESERVATIONS];
};

void model_init(struct model *model, const struct turn_config *config);

struct model_allocation *model_find(struct model *model, const struct five_tuple *five_tuple);

// The error code that the request must get, 0 for a success.
unsigned model_judge(struct model *model, const struct model_request *request);

// The request succeeded with this output, whose response is parsed: check what it says and do the same. Stops the
// program when it is wrong.
void model_follow(struct model *model, const struct model_request *request, const struct turn_output *output,
                  const struct stun_message *response);

// The client's packets come through this worker now.
void model_move(struct model *model, const struct five_tuple *five_tuple, uint16_t worker);
// All that is due.
void model_expire(struct model *model);
// It has the answer of turn_tcp_listener.listen.
int model_listen(struct model *model, uint32_t allocation, struct turn_relayed_address address);
// NULL when there is none.
struct model_connection *model_find_connection(struct model *model, uint32_t id);
struct model_connection *model_find_data(struct model *model, const struct five_tuple *client);
struct model_allocation *model_allocation_of(struct model *model, const struct model_connection *connection);
// It stands: it was CONNECTING.
void model_connected(struct model *model, struct model_connection *connection);
// May a peer, seen at this address, connect there? Then: as whom its client knows it.
bool model_judge_accept(struct model *model, uint32_t allocation, struct turn_relayed_address relayed,
                        const struct transport_address *seen, struct transport_address *ret_peer);
void model_accept(struct model *model, uint32_t allocation, uint32_t connection,
                  const struct transport_address *peer);

void model_disconnect(struct model *model, const struct five_tuple *five_tuple);
// Another peer policy: all that has to do with such peers goes.
void model_revoke(struct model *model, bool (*is_denied)(const struct ip_address *peer));
// An acknowledgement of a removal; slot 0 or 1: of that relayed address, 2: of the allocation.
void model_acknowledge(struct model *model, uint32_t id, unsigned slot);

uint64_t model_next_expiry_ms(const struct model *model);
struct turn_usage model_usage(const struct model *model);
