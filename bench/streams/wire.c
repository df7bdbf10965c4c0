// SPDX-License-Identifier: BSD-3-Clause
// TCP by itself, and OpenSSL above it or above batches of datagrams.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "wire.h"

#include "../fail.h"
#include "datagram_bio.h"
#include "handshake_savings.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#define READ_AHEAD_BYTES 65536

socklen_t wire_sockaddr(const struct transport_address *address,
                        struct sockaddr_storage *ret_sockaddr)
{
    memset(ret_sockaddr, 0, sizeof(*ret_sockaddr));
    if (address->ip.family == IP_FAMILY_V4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret_sockaddr;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        memcpy(&v4->sin_addr, address->ip.bytes, sizeof(v4->sin_addr));
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_sockaddr;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    memcpy(&v6->sin6_addr, address->ip.bytes, sizeof(v6->sin6_addr));
    return sizeof(*v6);
}

// What browsers offer: TLS 1.3, and 1.2 to who has no other; one suite and one group, so that every
// relay is asked for the same work; and no resumption.
static SSL_CTX *make_context(enum transport transport)
{
    SSL_CTX *tls =
        SSL_CTX_new(transport == TRANSPORT_DTLS ? DTLS_client_method() : TLS_client_method());

    if (!tls || SSL_CTX_set1_groups_list(tls, "P-256") != 1 ||
        SSL_CTX_set_cipher_list(tls, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1 ||
        SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") != 1)
        fail("OpenSSL does not give a context");
    if (transport == TRANSPORT_TLS) {
        SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
        SSL_CTX_set_read_ahead(tls, 1);
        SSL_CTX_set_default_read_buffer_len(tls, READ_AHEAD_BYTES);
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

void wires_init(struct wires *wires, enum transport transport, bool only_tls12,
                const struct transport_address *relay)
{
    *wires = (struct wires){.transport = transport};
    wires->relay_len = wire_sockaddr(relay, &wires->relay);
    if (transport == TRANSPORT_TCP)
        return;
    handshake_savings_take();
    wires->tls = make_context(transport);
    if (transport == TRANSPORT_TLS && only_tls12)
        SSL_CTX_set_max_proto_version(wires->tls, TLS1_2_VERSION);
}

void wires_done(struct wires *wires)
{
    SSL_CTX_free(wires->tls);
}

static void begin_tls(struct wire *wire, const struct wires *wires)
{
    wire->ssl = SSL_new(wires->tls);
    if (!wire->ssl)
        fail("OpenSSL does not give a connection");
    if (wire->transport == TRANSPORT_TLS) {
        SSL_set_fd(wire->ssl, wire->fd);
    } else {
        wire->datagrams = datagram_bio_new(wire->fd);
        SSL_set_bio(wire->ssl, datagram_bio_of(wire->datagrams), datagram_bio_of(wire->datagrams));
        SSL_set_options(wire->ssl, SSL_OP_NO_QUERY_MTU);
        SSL_set_mtu(wire->ssl, 1400);
    }
    SSL_set_connect_state(wire->ssl);
}

void wire_open(struct wire *wire, const struct wires *wires)
{
    int type = wires->transport == TRANSPORT_DTLS ? SOCK_DGRAM : SOCK_STREAM, on = 1;
    int buffer_bytes = 4 << 20;

    *wire = (struct wire){.transport = wires->transport};
    wire->fd = socket(wires->relay.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        fail("no socket: %s", strerror(errno));
    if (type == SOCK_STREAM)
        setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    else
        setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
    if (connect(wire->fd, (const struct sockaddr *)&wires->relay, wires->relay_len) < 0 &&
        errno != EINPROGRESS)
        wire->state = WIRE_BROKEN;
    if (wires->tls)
        begin_tls(wire, wires);
}

static bool is_connected(struct wire *wire)
{
    int error = 0;
    socklen_t len = sizeof(error);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);

    getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error)
        wire->state = WIRE_BROKEN;
    return error == 0 && getpeername(wire->fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

// Whether the call only has to wait.
static bool waits(struct wire *wire, int result)
{
    switch (SSL_get_error(wire->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return true;
    default:
        wire->state = WIRE_BROKEN;
        return false;
    }
}

void wire_advance(struct wire *wire)
{
    int result;

    if (wire->state != WIRE_CONNECTING || !is_connected(wire))
        return;
    if (!wire->ssl) {
        wire->state = WIRE_READY;
        return;
    }
    result = SSL_do_handshake(wire->ssl);
    if (result == 1)
        wire->state = WIRE_READY;
    else
        (void)waits(wire, result);
    wire_flush(wire);
}

void wire_repeat(struct wire *wire)
{
    if (wire->transport != TRANSPORT_DTLS || wire->state != WIRE_CONNECTING)
        return;
    if (DTLSv1_handle_timeout(wire->ssl) < 0)
        wire->state = WIRE_BROKEN;
    wire_flush(wire);
}

void wire_close(struct wire *wire)
{
    const struct linger at_once = {.l_onoff = 1};

    if (wire->transport == TRANSPORT_DTLS) {
        // Or the relay keeps the association until it expires.
        if (wire->state == WIRE_READY)
            SSL_shutdown(wire->ssl);
        wire_flush(wire);
    } else {
        setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    SSL_free(wire->ssl);
    if (wire->datagrams)
        datagram_bio_free(wire->datagrams);
    close(wire->fd);
    wire->fd = -1;
}

static size_t take(struct wire *wire, ssize_t result)
{
    if (result > 0)
        return (size_t)result;
    if (result == 0 || (errno != EAGAIN && errno != EINTR))
        wire->state = WIRE_BROKEN;
    return 0;
}

static size_t take_tls(struct wire *wire, int result)
{
    if (result > 0)
        return (size_t)result;
    (void)waits(wire, result);
    return 0;
}

size_t wire_read(struct wire *wire, void *buffer, size_t capacity)
{
    if (!wire->ssl)
        return take(wire, recv(wire->fd, buffer, capacity, 0));
    return take_tls(wire, SSL_read(wire->ssl, buffer, (int)capacity));
}

size_t wire_write(struct wire *wire, const void *bytes, size_t len)
{
    if (!wire->ssl)
        return take(wire, send(wire->fd, bytes, len, MSG_NOSIGNAL));
    return take_tls(wire, SSL_write(wire->ssl, bytes, (int)len));
}

void wire_flush(struct wire *wire)
{
    if (wire->datagrams)
        datagram_bio_flush(wire->datagrams);
}
