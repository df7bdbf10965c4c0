// SPDX-License-Identifier: BSD-3-Clause
// The phases before a connection is open. Each may be the end of it.
#include "control/stream_entrance.h"

#include "control/stream_connection.h"
#include "control/tls_contexts.h"
#include "exchange/plane.h"
#include "proto/proxy_header.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <unistd.h>

static void shake(struct stream_thread *thread, struct stream_connection *connection)
{
    int error = stream_socket_shake(&connection->socket);

    if (error == -EAGAIN) {
        stream_connection_settle(thread, connection);
    } else if (error) {
        stream_connection_close_for(thread, connection, &thread->counters.handshake_failures);
    } else {
        stream_count(&thread->counters.handshakes, 1);
        stream_connection_open(thread, connection);
    }
}

static bool secure(struct stream_thread *thread, struct stream_connection *connection)
{
    SSL *ssl = tls_contexts_new_ssl(thread->tls, TLS_STREAM);

    if (ssl && stream_socket_secure(&connection->socket, ssl))
        return true;
    SSL_free(ssl);
    return false;
}

// Its client is known.
static void begin_content(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!connection->is_tls) {
        stream_connection_open(thread, connection);
    } else if (!secure(thread, connection)) {
        stream_connection_close_for(thread, connection, &thread->counters.handshake_failures);
    } else {
        stream_connection_enter(thread, connection, STREAM_PHASE_HANDSHAKE);
        shake(thread, connection);
    }
}

// One client has one connection. Where the kernel says who a client is, the older one is dead, and
// it is only that we have not heard so yet; a proxy may be wrong, or lie.
static bool replaces(struct stream_thread *thread, const struct stream_connection *connection)
{
    struct stream_connection *older = stream_table_find(&thread->table, &connection->client);

    if (!older)
        return true;
    if (older->phase == STREAM_PHASE_GONE || older->is_proxied || connection->is_proxied)
        return false;
    stream_connection_close(thread, older);
    return stream_table_find(&thread->table, &connection->client) == NULL;
}

// False: it is not to be served.
static bool identify(struct stream_thread *thread, struct stream_connection *connection)
{
    if (!replaces(thread, connection)) {
        stream_count(&thread->counters.refused_proxy, 1);
        return false;
    }
    if (!stream_sources_take(&thread->sources, &connection->client.address.ip)) {
        stream_count(&thread->counters.refused_full, 1);
        return false;
    }
    connection->is_counted = true;
    stream_table_insert(&thread->table, connection);
    connection->is_listed = true;
    return true;
}

// The header of a proxy.

static bool is_zero(const uint8_t *bytes, unsigned len)
{
    unsigned set = 0;

    for (unsigned i = 0; i < len; i++)
        set |= bytes[i];
    return set == 0;
}

// Could somebody's connection come from there? An IPv4 address in IPv6's clothes would be a second
// name for a client.
static bool is_somebody(const struct transport_address *address)
{
    const uint8_t *bytes = address->ip.bytes;

    if (address->port == 0 || is_zero(bytes, ip_address_len(&address->ip)))
        return false;
    if (address->ip.family == IP_FAMILY_V4)
        return bytes[0] < 224;
    return bytes[0] != 0xFF && !(is_zero(bytes, 10) && bytes[10] == 0xFF && bytes[11] == 0xFF);
}

static void take_proxy_header(struct stream_thread *thread, struct stream_connection *connection,
                              enum proxy_header_verdict verdict, const struct proxy_header *header)
{
    stream_buffer_done(&connection->in);
    if (verdict == PROXY_HEADER_PROXIED) {
        connection->client.address = header->source;
        connection->is_proxied = true;
    }
    if (verdict == PROXY_HEADER_BAD || !is_somebody(&connection->client.address))
        stream_connection_close_for(thread, connection, &thread->counters.refused_proxy);
    else if (!identify(thread, connection))
        stream_connection_close(thread, connection);
    else
        begin_content(thread, connection);
}

// Not a byte more than the header is read: what follows is TLS's, or the kernel's to keep.
static void read_proxy_header(struct stream_thread *thread, struct stream_connection *connection)
{
    for (;;) {
        struct proxy_header header = {0};
        enum proxy_header_verdict verdict =
            proxy_header_parse(stream_buffer_bytes(&connection->in), &header);
        struct span more = {.data = thread->received};
        int error;

        if (verdict != PROXY_HEADER_NEED_MORE) {
            take_proxy_header(thread, connection, verdict, &header);
            return;
        }
        error = stream_socket_read(&connection->socket, thread->received,
                                   header.len - connection->in.len, &more.len);
        if (error == -EAGAIN) {
            stream_connection_settle(thread, connection);
            return;
        }
        if (error || more.len == 0 || stream_buffer_append(&connection->in, more, 0) != 0) {
            stream_connection_close_for(thread, connection, &thread->counters.refused_proxy);
            return;
        }
    }
}

static bool is_proxy(const struct stream_thread *thread, const struct ip_address *ip)
{
    for (unsigned i = 0; i < thread->proxy_source_count; i++) {
        if (ip_prefix_contains(&thread->proxy_sources[i], ip))
            return true;
    }
    return false;
}

// What has not proved to be a client gives way to what may be one, the oldest first: good
// connections are quick, and so get through a flood.
static void make_room(struct stream_thread *thread)
{
    struct stream_connection *oldest = NULL;

    if (thread->half_open_count >= thread->limits.half_open)
        oldest = TAILQ_FIRST(&thread->half_open);
    else if (index_pool_free(&thread->table.pool) == 0)
        oldest = TAILQ_EMPTY(&thread->half_open) ? TAILQ_FIRST(&thread->quiet)
                                                 : TAILQ_FIRST(&thread->half_open);
    if (oldest)
        stream_connection_close_for(thread, oldest, &thread->counters.gave_way);
}

static bool watch(struct stream_thread *thread, struct stream_connection *connection)
{
    struct epoll_event event = {
        .events = EPOLLIN,
        .data.u64 = stream_connection_tag(thread, connection, STREAM_TAG_CLIENT),
    };

    connection->interest = event.events;
    return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, connection->socket.fd, &event) == 0;
}

static uint8_t transport_of(const struct stream_thread *thread, uint16_t listener)
{
    return plane_stream_listener(&thread->plane->config, listener)->transport;
}

void stream_entrance_begin(struct stream_thread *thread, int fd,
                           const struct transport_address *source, uint16_t listener)
{
    struct stream_connection *connection;

    stream_count(&thread->counters.accepted, 1);
    make_room(thread);
    connection = stream_table_take(&thread->table);
    if (!connection) {
        stream_count(&thread->counters.refused_full, 1);
        close(fd);
        return;
    }
    stream_count(&thread->counters.connections, 1);
    connection->socket.fd = fd;
    thread->generation = (thread->generation + 1) % STREAM_GENERATIONS;
    connection->generation = thread->generation;
    connection->client = (struct client_key){*source, listener};
    connection->is_tls = transport_of(thread, listener) == STREAM_TLS;
    TAILQ_INSERT_TAIL(&thread->half_open, connection, age);
    connection->is_half_open = true;
    thread->half_open_count++;
    stream_connection_enter(thread, connection, STREAM_PHASE_PROXY);
    if (!watch(thread, connection))
        stream_connection_close_for(thread, connection, &thread->counters.no_memory);
    else if (is_proxy(thread, &source->ip))
        read_proxy_header(thread, connection);
    else if (!identify(thread, connection))
        stream_connection_close(thread, connection);
    else
        begin_content(thread, connection);
}

void stream_entrance_serve(struct stream_thread *thread, struct stream_connection *connection)
{
    if (connection->phase == STREAM_PHASE_PROXY)
        read_proxy_header(thread, connection);
    else
        shake(thread, connection);
}
