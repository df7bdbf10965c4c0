// SPDX-License-Identifier: BSD-3-Clause
// The 5-tuple that identifies an allocation (RFC 8656 section 3.2), laid out to be hashed and compared as bytes.
#pragma once

#include "base/address.h"

#include <stdint.h>

// Between client and server. TLS and DTLS have numbers that IANA keeps from IP protocols, for experiments: a UDP and a
// DTLS client of one address are two. Each fits in a byte.
enum five_tuple_transport {
    FIVE_TUPLE_UDP = 17,
    FIVE_TUPLE_TCP = 6,
    FIVE_TUPLE_TLS = 253,
    FIVE_TUPLE_DTLS = 254,
};

struct five_tuple {
    struct transport_address client;
    struct transport_address server;
    uint16_t transport; // enum five_tuple_transport
    uint16_t thread;    // that has the client's connection; 0 over UDP. Fits in a byte, too
};

static_assert(sizeof(struct five_tuple) == 44, "no padding: hashed as bytes");

static inline const char *five_tuple_transport_name(enum five_tuple_transport transport)
{
    switch (transport) {
    case FIVE_TUPLE_TCP:
        return "tcp";
    case FIVE_TUPLE_TLS:
        return "tls";
    case FIVE_TUPLE_DTLS:
        return "dtls";
    default:
        return "udp";
    }
}

// A connection that carries a stream: TCP or TLS.
static inline bool five_tuple_is_stream(const struct five_tuple *five_tuple)
{
    return five_tuple->transport == FIVE_TUPLE_TCP || five_tuple->transport == FIVE_TUPLE_TLS;
}

static inline bool five_tuple_equal(const struct five_tuple *a, const struct five_tuple *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
