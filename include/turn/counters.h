// SPDX-License-Identifier: BSD-3-Clause
// What a TURN server counts: requests by method, errors by method and code, allocations by their client's transport and
// their families. However many clients there are, there are as many counts.
#pragma once

#include "turn/quota.h"

#include <stdint.h>

#define TURN_METHOD_LIST(X)                                                                                            \
    X(BINDING, binding)                                                                                                \
    X(ALLOCATE, allocate)                                                                                              \
    X(REFRESH, refresh)                                                                                                \
    X(CREATE_PERMISSION, create_permission)                                                                            \
    X(CHANNEL_BIND, channel_bind)                                                                                      \
    X(CONNECT, connect)                                                                                                \
    X(CONNECTION_BIND, connection_bind)

#define TURN_ERROR_LIST(X)                                                                                             \
    X(TRY_ALTERNATE)                                                                                                   \
    X(BAD_REQUEST)                                                                                                     \
    X(UNAUTHENTICATED)                                                                                                 \
    X(FORBIDDEN)                                                                                                       \
    X(UNKNOWN_ATTRIBUTE)                                                                                               \
    X(ALLOCATION_MISMATCH)                                                                                             \
    X(STALE_NONCE)                                                                                                     \
    X(ADDRESS_FAMILY_NOT_SUPPORTED)                                                                                    \
    X(WRONG_CREDENTIALS)                                                                                               \
    X(UNSUPPORTED_TRANSPORT)                                                                                           \
    X(PEER_ADDRESS_FAMILY_MISMATCH)                                                                                    \
    X(CONNECTION_ALREADY_EXISTS)                                                                                       \
    X(CONNECTION_TIMEOUT_OR_FAILURE)                                                                                   \
    X(ALLOCATION_QUOTA_REACHED)                                                                                        \
    X(INSUFFICIENT_CAPACITY)

enum turn_method_index {
#define X(id, name) TURN_METHOD_INDEX_##id,
    TURN_METHOD_LIST(X)
#undef X
    TURN_METHOD_COUNT,
};

enum turn_error_index {
#define X(id) TURN_ERROR_INDEX_##id,
    TURN_ERROR_LIST(X)
#undef X
    TURN_ERROR_COUNT,
};

// Of the client's connection, and of the relayed addresses.
enum turn_transport_index {
    TURN_TRANSPORT_UDP,
    TURN_TRANSPORT_TCP,
    TURN_TRANSPORT_TLS,
    TURN_TRANSPORT_DTLS,
    TURN_TRANSPORT_COUNT,
};

enum turn_family_index {
    TURN_FAMILY_IPV4,
    TURN_FAMILY_IPV6,
    TURN_FAMILY_DUAL, // both
    TURN_FAMILY_COUNT,
};

struct turn_counters {
    uint64_t requests[TURN_METHOD_COUNT]; // that were taken up
    uint64_t errors[TURN_METHOD_COUNT][TURN_ERROR_COUNT];
    uint64_t quota_refusals[QUOTA_REFUSAL_COUNT]; // Allocates, by enum quota_refusal
    uint64_t authentication_failures; // unknown users, wrong passwords, credentials that have run out
    uint64_t allocations[TURN_FAMILY_COUNT][TURN_TRANSPORT_COUNT]; // that were made
    uint32_t live[TURN_FAMILY_COUNT][TURN_TRANSPORT_COUNT];        // and are there still
};

// As labels: "create_permission", "dual", "dtls"; and the code that an index stands for. Static storage.
const char *turn_method_name(enum turn_method_index method);
const char *turn_family_name(enum turn_family_index family);
const char *turn_transport_name(enum turn_transport_index transport);
unsigned turn_error_code(enum turn_error_index error);

// Methods and codes of the lists; others are not counted.
void turn_counters_request(struct turn_counters *counters, uint16_t method);
void turn_counters_error(struct turn_counters *counters, uint16_t method, unsigned error);

// transport: enum five_tuple_transport. slots: a bit for each enum relayed_slot, one at least.
void turn_counters_began(struct turn_counters *counters, uint8_t transport, unsigned slots);
void turn_counters_ended(struct turn_counters *counters, uint8_t transport, unsigned slots);
// One of two families is gone, the other is left.
void turn_counters_narrowed(struct turn_counters *counters, uint8_t transport, unsigned slots_left);
