// SPDX-License-Identifier: BSD-3-Clause
// See turn/counters.h.
#include "turn/counters.h"

#include "proto/five_tuple.h"
#include "proto/stun.h"
#include "turn/allocation.h"

#include <assert.h>

static const uint16_t methods[TURN_METHOD_COUNT] = {
#define X(id, name) [TURN_METHOD_INDEX_##id] = STUN_METHOD_##id,
    TURN_METHOD_LIST(X)
#undef X
};

static const uint16_t codes[TURN_ERROR_COUNT] = {
#define X(id) [TURN_ERROR_INDEX_##id] = STUN_ERROR_##id,
    TURN_ERROR_LIST(X)
#undef X
};

const char *turn_method_name(enum turn_method_index method)
{
    static const char *const names[TURN_METHOD_COUNT] = {
#define X(id, name) [TURN_METHOD_INDEX_##id] = #name,
        TURN_METHOD_LIST(X)
#undef X
    };
    assert(method < TURN_METHOD_COUNT);
    return names[method];
}

const char *turn_family_name(enum turn_family_index family)
{
    static const char *const names[TURN_FAMILY_COUNT] = {"ipv4", "ipv6", "dual"};
    assert(family < TURN_FAMILY_COUNT);
    return names[family];
}

const char *turn_transport_name(enum turn_transport_index transport)
{
    static const char *const names[TURN_TRANSPORT_COUNT] = {"udp", "tcp", "tls", "dtls"};
    assert(transport < TURN_TRANSPORT_COUNT);
    return names[transport];
}

unsigned turn_error_code(enum turn_error_index error)
{
    assert(error < TURN_ERROR_COUNT);
    return codes[error];
}

static enum turn_method_index method_index(uint16_t method)
{
    unsigned index = 0;
    while (index < TURN_METHOD_COUNT && methods[index] != method)
        index++;
    return (enum turn_method_index)index;
}

static enum turn_error_index error_index(unsigned error)
{
    unsigned index = 0;
    while (index < TURN_ERROR_COUNT && codes[index] != error)
        index++;
    return (enum turn_error_index)index;
}

void turn_counters_request(struct turn_counters *counters, uint16_t method)
{
    enum turn_method_index index = method_index(method);
    if (index < TURN_METHOD_COUNT)
        counters->requests[index]++;
}

void turn_counters_error(struct turn_counters *counters, uint16_t method, unsigned error)
{
    enum turn_method_index row = method_index(method);
    enum turn_error_index column = error_index(error);
    if (row < TURN_METHOD_COUNT && column < TURN_ERROR_COUNT)
        counters->errors[row][column]++;
}

static enum turn_transport_index transport_index(uint8_t transport)
{
    switch (transport) {
    case FIVE_TUPLE_TCP:
        return TURN_TRANSPORT_TCP;
    case FIVE_TUPLE_TLS:
        return TURN_TRANSPORT_TLS;
    case FIVE_TUPLE_DTLS:
        return TURN_TRANSPORT_DTLS;
    default:
        return TURN_TRANSPORT_UDP;
    }
}

static enum turn_family_index family_index(unsigned slots)
{
    assert(slots != 0);
    return slots == 1u << RELAYED_V4   ? TURN_FAMILY_IPV4
           : slots == 1u << RELAYED_V6 ? TURN_FAMILY_IPV6
                                       : TURN_FAMILY_DUAL;
}

void turn_counters_began(struct turn_counters *counters, uint8_t transport, unsigned slots)
{
    counters->allocations[family_index(slots)][transport_index(transport)]++;
    counters->live[family_index(slots)][transport_index(transport)]++;
}

void turn_counters_ended(struct turn_counters *counters, uint8_t transport, unsigned slots)
{
    counters->live[family_index(slots)][transport_index(transport)]--;
}

void turn_counters_narrowed(struct turn_counters *counters, uint8_t transport, unsigned slots_left)
{
    counters->live[TURN_FAMILY_DUAL][transport_index(transport)]--;
    counters->live[family_index(slots_left)][transport_index(transport)]++;
}
