// SPDX-License-Identifier: BSD-3-Clause
// A client's connection to a relay over TCP, TLS or DTLS, never waiting (RFC 8656 section 2.1, RFC
// 7350).
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum transport {
    TRANSPORT_TCP,
    TRANSPORT_TLS,
    TRANSPORT_DTLS,
};

enum wire_state {
    WIRE_CONNECTING,
    WIRE_READY,
    WIRE_BROKEN,
};

struct wire {
    enum transport transport;
    enum wire_state state;
    int fd;
    struct ssl_st *ssl;             // not TCP's
    struct datagram_bio *datagrams; // DTLS's
};

// What all connections share. tls is NULL for TCP.
struct wires {
    enum transport transport;
    struct ssl_ctx_st *tls;
    struct sockaddr_storage relay;
    socklen_t relay_len;
};

// only_tls12: TLS 1.3 is not offered.
void wires_init(struct wires *wires, enum transport transport, bool only_tls12,
                const struct transport_address *relay);
void wires_done(struct wires *wires);

// The socket cannot be had: the process ends.
void wire_open(struct wire *wire, const struct wires *wires);
// To be called whenever the socket can be read or written, until the wire is ready or broken.
void wire_advance(struct wire *wire);
// DTLS: says again what has not been answered in time.
void wire_repeat(struct wire *wire);
// Without waiting for anybody, and without leaving a port behind that waits.
void wire_close(struct wire *wire);

// Bytes, or 0 when there are none now; a wire that breaks says so in its state. Of DTLS one message
// at a time.
size_t wire_read(struct wire *wire, void *buffer, size_t capacity);
// Bytes taken, which may be fewer, or none. Of DTLS one message at a time, sent by wire_flush().
size_t wire_write(struct wire *wire, const void *bytes, size_t len);
void wire_flush(struct wire *wire);

static inline bool wire_is_datagrams(const struct wire *wire)
{
    return wire->transport == TRANSPORT_DTLS;
}

socklen_t wire_sockaddr(const struct transport_address *address,
                        struct sockaddr_storage *ret_sockaddr);
