// SPDX-License-Identifier: BSD-3-Clause
// An HTTP server (RFC 9110, RFC 9112) for a few short pages, on libevent's: it answers GET and HEAD, on connections
// that carry one request each, with or without TLS. Whatever comes, it takes bounded memory and a small share of its
// thread.
#pragma once

#include "base/address.h"

#include <stdint.h>

struct evbuffer;
struct event_base;
struct http_access;
struct http_server;

#define HTTP_SERVER_LISTENERS_MAX 16
// Connections that there may be at once. When one more comes, the oldest go.
#define HTTP_SERVER_CONNECTIONS_MAX 32
// After so long a connection ends, whatever it is at.
#define HTTP_SERVER_AGE_MAX_MS 10000
// Of a request; more is refused.
#define HTTP_SERVER_HEADERS_MAX 8192
#define HTTP_SERVER_BODY_MAX    1024

struct http_answer {
    unsigned status;          // 200, 404, ...
    const char *content_type; // static storage
    const char *retry_after;  // seconds; NULL: not said
    const char *authenticate; // with 401: what is asked for
};

struct http_question {
    const char *path;          // begins with a slash and has no query
    const char *accept;        // headers; NULL: there is none
    const char *authorization;
};

struct http_server_config {
    struct event_base *base;          // borrowed
    const struct http_access *access; // borrowed: says of each new connection whether it is TLS
    // Fills body.
    void (*answer)(void *context, const struct http_question *question, struct evbuffer *body,
                   struct http_answer *ret_answer);
    void *context;
};

// 0, -ENOMEM.
int http_server_create(const struct http_server_config *config, struct http_server **ret_server);
// All connections end. Before the event base goes.
void http_server_destroy(struct http_server *server);

// 0 or -errno, as bind(2) and listen(2) say it; -ENOSPC: there are HTTP_SERVER_LISTENERS_MAX.
int http_server_listen(struct http_server *server, const struct transport_address *address);
