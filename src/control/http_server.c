// SPDX-License-Identifier: BSD-3-Clause
// libevent takes connections as long as any come, and keeps as many as there are. What bounds that
// is its call for a new connection's bufferevent: there the listeners are switched off when enough
// have come for a while. A reference to each bufferevent lets the connection's end be seen, and
// keeps its descriptor from becoming another's before.
#include "control/http_server.h"

#include "base/clock.h"
#include "control/http_access.h"
#include "control/tcp_socket.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Connections taken in one tick, 800 a second.
#define TICK_US          20000
#define ACCEPTS_PER_TICK 16
// With TLS 50 a second: a handshake takes 0.2 ms with a key on P-256, and 1 ms with RSA of 2048
// bits.
#define TLS_ACCEPTS_PER_TICK 1
// And while there is nobody.
#define IDLE_TICK_S 1
// How many of the oldest make room for others.
#define EVICTIONS 8
// Without a byte of the client's.
#define TIMEOUT_S 5
#define BACKLOG   32

struct http_connection {
    struct bufferevent *bufev;
    uint64_t since_ms;
};

struct http_server {
    struct http_server_config config;
    struct evhttp *http;
    struct event *tick;
    struct evconnlistener *listeners[HTTP_SERVER_LISTENERS_MAX];
    unsigned listener_count;
    struct http_connection connections[HTTP_SERVER_CONNECTIONS_MAX]; // the oldest first
    unsigned connection_count;
    unsigned accepted; // in this tick
    bool is_busy;      // ticks are short
};

static const struct timeval tick_interval = {.tv_usec = TICK_US};
static const struct timeval idle_interval = {.tv_sec = IDLE_TICK_S};

static void set_pace(struct http_server *server, bool is_busy)
{
    if (is_busy != server->is_busy)
        event_add(server->tick, is_busy ? &tick_interval : &idle_interval);
    server->is_busy = is_busy;
}

static void pause_listeners(struct http_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        evconnlistener_disable(server->listeners[i]);
}

static void resume_listeners(struct http_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        evconnlistener_enable(server->listeners[i]);
}

// The HTTP server notices, and ends it.
static void cut(const struct http_connection *connection)
{
    (void)shutdown(bufferevent_getfd(connection->bufev), SHUT_RDWR);
}

// The HTTP server has freed it, but for our reference.
static bool has_ended(const struct http_connection *connection)
{
    bufferevent_event_cb on_event;

    bufferevent_getcb(connection->bufev, NULL, NULL, &on_event, NULL);
    return !on_event;
}

static void forget_ended(struct http_server *server)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < server->connection_count; i++) {
        if (has_ended(&server->connections[i]))
            bufferevent_decref(server->connections[i].bufev);
        else
            server->connections[kept++] = server->connections[i];
    }
    server->connection_count = kept;
}

static void cut_old(struct http_server *server)
{
    uint64_t now_ms = clock_monotonic_ms();

    for (unsigned i = 0; i < server->connection_count; i++) {
        if (now_ms - server->connections[i].since_ms >= HTTP_SERVER_AGE_MAX_MS)
            cut(&server->connections[i]);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct http_server *server = context;

    (void)fd;
    (void)what;
    forget_ended(server);
    cut_old(server);
    server->accepted = 0;
    if (server->connection_count < HTTP_SERVER_CONNECTIONS_MAX)
        resume_listeners(server);
    set_pace(server, server->connection_count > 0);
}

static unsigned accepts_per_tick(const struct http_server *server)
{
    return http_access_has_tls(server->config.access) ? TLS_ACCEPTS_PER_TICK : ACCEPTS_PER_TICK;
}

static void keep(struct http_server *server, struct bufferevent *bufev)
{
    bufferevent_incref(bufev);
    server->connections[server->connection_count++] =
        (struct http_connection){bufev, clock_monotonic_ms()};
    set_pace(server, true);
    if (server->connection_count == HTTP_SERVER_CONNECTIONS_MAX) {
        for (unsigned i = 0; i < EVICTIONS; i++)
            cut(&server->connections[i]);
        pause_listeners(server);
    } else if (++server->accepted >= accepts_per_tick(server)) {
        pause_listeners(server);
    }
}

// For want of file descriptors, say. What waits would have us called again at once: until the next
// tick nobody looks.
static void on_accept_error(struct evconnlistener *listener, void *context)
{
    (void)context;
    evconnlistener_disable(listener);
}

static struct bufferevent *new_tls(struct event_base *base, const struct http_access *access)
{
    SSL *ssl = http_access_new_ssl(access);
    struct bufferevent *bufev =
        ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE)
            : NULL;

    if (bufev)
        bufferevent_openssl_set_allow_dirty_shutdown(bufev, 1);
    else
        SSL_free(ssl);
    return bufev;
}

// There is room: listeners are off while there is none. NULL has libevent make a connection of its
// own, without TLS (is_as_configured()).
static struct bufferevent *on_connection(struct event_base *base, void *context)
{
    struct http_server *server = context;
    struct bufferevent *bufev = http_access_has_tls(server->config.access)
                                    ? new_tls(base, server->config.access)
                                    : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

    if (!bufev)
        return NULL;
    bufferevent_setwatermark(bufev, EV_READ, 0, HTTP_SERVER_HEADERS_MAX + HTTP_SERVER_BODY_MAX);
    keep(server, bufev);
    return bufev;
}

// RFC 9110 section 9.3.2: as to a GET, without the content.
static void send_head_alone(struct evhttp_request *request, unsigned status, struct evbuffer *body)
{
    char len[24];

    snprintf(len, sizeof(len), "%zu", evbuffer_get_length(body));
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Length", len);
    evhttp_send_reply(request, (int)status, NULL, NULL);
}

static void send_answer(struct evhttp_request *request, const struct http_answer *answer,
                        struct evbuffer *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "Content-Type", answer->content_type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    if (answer->authenticate)
        evhttp_add_header(headers, "WWW-Authenticate", answer->authenticate);
    if (answer->retry_after)
        evhttp_add_header(headers, "Retry-After", answer->retry_after);
    if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
        send_head_alone(request, answer->status, body);
    else
        evhttp_send_reply(request, (int)answer->status, NULL, body);
}

static void refuse_method(struct evhttp_request *request, struct evbuffer *body)
{
    const struct http_answer answer = {.status = 405, .content_type = "text/plain"};

    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
    evbuffer_add_printf(body, "GET and HEAD are all there is\n");
    send_answer(request, &answer, body);
}

// Or there was no memory for TLS, or the connection is older than its use.
static bool is_as_configured(const struct http_server *server, struct evhttp_request *request)
{
    struct bufferevent *bufev =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));

    return !http_access_has_tls(server->config.access) || bufferevent_openssl_get_ssl(bufev);
}

static void answer_question(struct http_server *server, struct evhttp_request *request,
                            struct evbuffer *body)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const struct http_question question = {
        .path = path ? path : "",
        .accept = evhttp_find_header(headers, "Accept"),
        .authorization = evhttp_find_header(headers, "Authorization"),
    };
    struct http_answer answer = {};

    server->config.answer(server->config.context, &question, body, &answer);
    send_answer(request, &answer, body);
}

static void on_request(struct evhttp_request *request, void *context)
{
    struct http_server *server = context;
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    struct evbuffer *body = evbuffer_new();

    if (!body || !is_as_configured(server, request))
        evhttp_send_error(request, 503, NULL);
    else if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD)
        answer_question(server, request, body);
    else
        refuse_method(request, body);
    if (body)
        evbuffer_free(body);
}

int http_server_create(const struct http_server_config *config, struct http_server **ret_server)
{
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server)
        return -ENOMEM;
    server->config = *config;
    server->http = evhttp_new(config->base);
    server->tick = event_new(config->base, -1, EV_PERSIST, on_tick, server);
    if (!server->http || !server->tick || event_add(server->tick, &idle_interval) < 0) {
        http_server_destroy(server);
        return -ENOMEM;
    }
    evhttp_set_max_headers_size(server->http, HTTP_SERVER_HEADERS_MAX);
    evhttp_set_max_body_size(server->http, HTTP_SERVER_BODY_MAX);
    evhttp_set_timeout(server->http, TIMEOUT_S);
    // All that libevent knows, so that we can say which ones there are.
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(server->http, on_connection, server);
    evhttp_set_gencb(server->http, on_request, server);
    *ret_server = server;
    return 0;
}

void http_server_destroy(struct http_server *server)
{
    if (server->http)
        evhttp_free(server->http);
    for (unsigned i = 0; i < server->connection_count; i++)
        bufferevent_decref(server->connections[i].bufev);
    if (server->tick)
        event_free(server->tick);
    free(server);
}

static int open_socket(const struct transport_address *address, int *ret_fd)
{
    int fd, error = tcp_socket_open(address, &fd);

    if (error)
        return error;
    error = tcp_socket_bind(fd, address);
    if (!error && listen(fd, BACKLOG) != 0)
        error = -errno;
    if (error)
        close(fd);
    else
        *ret_fd = fd;
    return error;
}

int http_server_listen(struct http_server *server, const struct transport_address *address)
{
    struct evconnlistener *listener;
    int fd, error;

    if (server->listener_count == HTTP_SERVER_LISTENERS_MAX)
        return -ENOSPC;
    error = open_socket(address, &fd);
    if (error)
        return error;
    // It listens already, and belongs to the HTTP server with what follows.
    listener = evconnlistener_new(server->config.base, NULL, NULL,
                                  LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    if (!evhttp_bind_listener(server->http, listener)) {
        evconnlistener_free(listener);
        return -ENOMEM;
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    server->listeners[server->listener_count++] = listener;
    return 0;
}
