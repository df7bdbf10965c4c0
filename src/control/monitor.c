// SPDX-License-Identifier: BSD-3-Clause
// See control/monitor.h.
#include "control/monitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/drain.h"
#include "control/http_access.h"
#include "control/http_server.h"
#include "control/watchdog.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// With 64 workers a page takes a few milliseconds of the thread that authenticates: so many a
// second at most, and some at once.
#define PAGES_PER_SECOND 20
#define PAGES_BURST      40
#define MS_PER_PAGE      (1000 / PAGES_PER_SECOND)

struct monitor {
    struct metrics_sources sources;
    struct metrics_pages pages;
    struct http_server *server;
    uint64_t full_ms; // when all pages of a burst may be had again
};

static bool page_is_allowed(struct monitor *monitor)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t from_ms = monitor->full_ms > now_ms ? monitor->full_ms : now_ms;

    if (from_ms + MS_PER_PAGE > now_ms + (uint64_t)PAGES_BURST * MS_PER_PAGE)
        return false;
    monitor->full_ms = from_ms + MS_PER_PAGE;
    return true;
}

// RFC 6750 section 3: who has said nothing is told what to say, who has a wrong token that.
static struct http_answer refuse_token(struct monitor *monitor, const char *authorization,
                                       struct evbuffer *body)
{
    monitor->pages.refused_token++;
    evbuffer_add_printf(body, "a token of metrics_token_file is needed\n");
    return (struct http_answer){
        .status = 401,
        .content_type = "text/plain",
        .authenticate = authorization ? "Bearer realm=\"metrics\", error=\"invalid_token\""
                                      : "Bearer realm=\"metrics\"",
    };
}

static struct http_answer
answer_metrics(struct monitor *monitor, const struct http_question *question, struct evbuffer *body)
{
    const struct metric_page page = {body, metric_format_choose(question->accept)};
    uint64_t begun_us = clock_monotonic_us();

    if (!http_access_allows(monitor->sources.access, question->authorization))
        return refuse_token(monitor, question->authorization, body);
    if (!page_is_allowed(monitor)) {
        monitor->pages.refused_pace++;
        evbuffer_add_printf(body, "more than %d pages a second\n", PAGES_PER_SECOND);
        return (struct http_answer){
            .status = 429, .content_type = "text/plain", .retry_after = "1"};
    }
    monitor->pages.served++;
    metrics_write(&monitor->sources, &page);
    monitor->pages.time_us += clock_monotonic_us() - begun_us;
    return (struct http_answer){.status = 200, .content_type = metric_format_type(page.format)};
}

// Says who is stuck. False: nobody is.
static bool say_stuck(const struct monitor *monitor, struct evbuffer *body)
{
    const struct watchdog *watchdog = monitor->sources.watchdog;
    bool is_late = watchdog_is_late(watchdog, clock_monotonic_ms());

    if (is_late)
        evbuffer_add_printf(body, "the control thread was stuck\n");
    for (uint16_t i = 0; i < monitor->sources.plane->config.worker_count; i++) {
        if (watchdog_worker_is_stuck(watchdog, i))
            evbuffer_add_printf(body, "worker %u is stuck\n", i);
    }
    return is_late || watchdog_stuck_count(watchdog) > 0;
}

static struct http_answer answer_health(const struct monitor *monitor, struct evbuffer *body)
{
    bool is_stuck = say_stuck(monitor, body);

    if (!is_stuck)
        evbuffer_add_printf(body, "healthy\n");
    return (struct http_answer){.status = is_stuck ? 503 : 200, .content_type = "text/plain"};
}

// Says what is left. False: the relay does not drain.
static bool say_draining(const struct monitor *monitor, struct evbuffer *body)
{
    struct drain_view view;
    char text[DRAIN_TEXT_LEN];

    drain_get_view(monitor->sources.drain, &view);
    if (view.is_draining)
        evbuffer_add_printf(body, "%s\n", drain_format(&view, text));
    return view.is_draining;
}

// For new clients. Those that are there are served either way.
static struct http_answer answer_readiness(const struct monitor *monitor, struct evbuffer *body)
{
    bool is_stuck = say_stuck(monitor, body);
    bool is_draining = say_draining(monitor, body);
    bool has_room = turn_server_has_room(monitor->sources.server);
    bool is_ready = !is_stuck && !is_draining && has_room;

    if (!has_room)
        evbuffer_add_printf(body, "no room for another allocation\n");
    if (is_ready)
        evbuffer_add_printf(body, "ready\n");
    return (struct http_answer){.status = is_ready ? 200 : 503, .content_type = "text/plain"};
}

// Health is no secret, and probes have no tokens.
static void answer(void *context, const struct http_question *question, struct evbuffer *body,
                   struct http_answer *ret_answer)
{
    struct monitor *monitor = context;
    const char *path = question->path;

    if (strcmp(path, "/metrics") == 0) {
        *ret_answer = answer_metrics(monitor, question, body);
        return;
    }
    if (strcmp(path, "/healthz") == 0) {
        *ret_answer = answer_health(monitor, body);
        return;
    }
    if (strcmp(path, "/readyz") == 0) {
        *ret_answer = answer_readiness(monitor, body);
        return;
    }
    evbuffer_add_printf(body, "there are /metrics, /healthz and /readyz\n");
    *ret_answer = (struct http_answer){.status = 404, .content_type = "text/plain"};
}

static bool is_ipv6_loopback(const struct ip_address *address)
{
    static const struct ip_address loopback = {.family = IP_FAMILY_V6, .bytes = {[15] = 1}};

    return ip_address_equal(address, &loopback);
}

static const char *advice(int error)
{
    switch (error) {
    case -EADDRINUSE:
        return "another program has it: set metrics_port to another port, or metrics_listen = [] "
               "to serve no metrics";
    case -EADDRNOTAVAIL:
        return "no interface has that address: set metrics_listen to one that is there";
    case -EACCES:
        return "ports below 1024 need CAP_NET_BIND_SERVICE: set metrics_port to one above";
    default:
        return "see metrics_listen";
    }
}

static int listen_on(struct monitor *monitor, const struct ip_address *ip, uint16_t port)
{
    const struct transport_address address = {.ip = *ip, .port = port};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    int error = http_server_listen(monitor->server, &address);

    if (is_ipv6_loopback(ip) && (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL))
        return 0;
    if (error)
        log_message(LOG_LEVEL_ERROR, "metrics_listen", "cannot listen on %s: %s; %s",
                    transport_address_format(&address, text), strerror(-error), advice(error));
    return error;
}

int monitor_create(const struct monitor_config *config, struct monitor **ret_monitor)
{
    const struct ip_address *addresses = config->addresses->items;
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    const struct http_server_config server_config = {
        .base = config->base,
        .access = config->sources.access,
        .answer = answer,
        .context = monitor,
    };
    int error;

    if (!monitor)
        return -ENOMEM;
    monitor->sources = config->sources;
    monitor->sources.pages = &monitor->pages;
    error = http_server_create(&server_config, &monitor->server);
    for (uint32_t i = 0; !error && i < config->addresses->count; i++)
        error = listen_on(monitor, &addresses[i], config->port);
    if (error) {
        monitor_destroy(monitor);
        return error;
    }
    *ret_monitor = monitor;
    return 0;
}

void monitor_destroy(struct monitor *monitor)
{
    if (monitor->server)
        http_server_destroy(monitor->server);
    free(monitor);
}
