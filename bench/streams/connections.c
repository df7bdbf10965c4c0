// SPDX-License-Identifier: BSD-3-Clause
// As many at once as there are clients; a place that has been served is taken by the next.
#include "connections.h"

#include "../fail.h"
#include "../load/histogram.h"
#include "busy.h"
#include "client.h"
#include "clocks.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS       256
#define OVERDUE_S    3.0
#define REPEAT_S     0.25 // how often it is looked after those that wait
#define ANSWER_BYTES 512

struct place {
    struct wire wire;
    double began;
    bool has_asked;
    uint64_t id;
};

struct connections {
    const struct options *options;
    struct wires wires;
    struct place *places;
    int epoll;
    uint64_t ids;
    double looked_at;
    struct histogram us;
    struct connections_figures figures;
};

static void begin(struct connections *connections, struct place *place)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.u32 = (uint32_t)(place - connections->places)};

    *place = (struct place){.began = clock_seconds(), .id = ++connections->ids};
    wire_open(&place->wire, &connections->wires);
    if (epoll_ctl(connections->epoll, EPOLL_CTL_ADD, place->wire.fd, &event) < 0)
        fail("epoll: %s", strerror(errno));
    // A datagram's socket is connected already.
    if (connections->options->transport == TRANSPORT_DTLS)
        wire_advance(&place->wire);
}

static void begin_anew(struct connections *connections, struct place *place)
{
    wire_close(&place->wire);
    begin(connections, place);
}

static void ask(struct place *place)
{
    uint8_t request[STUN_HEADER_LEN];
    uint32_t len = client_write_binding(request, place->id);

    if (wire_write(&place->wire, request, len) == len)
        place->has_asked = true;
    wire_flush(&place->wire);
}

// Whether it is the answer to what was asked.
static bool is_answered(struct place *place)
{
    uint8_t answer[ANSWER_BYTES];
    size_t got = wire_read(&place->wire, answer, sizeof(answer));
    struct stun_message message;

    return got > 0 && stun_message_parse((struct span){answer, got}, &message) == STUN_VALID &&
           message.message_class == STUN_CLASS_SUCCESS &&
           load_be64(message.transaction_id) == place->id;
}

static void advance(struct connections *connections, struct place *place)
{
    wire_advance(&place->wire);
    if (place->wire.state == WIRE_READY && !place->has_asked)
        ask(place);
    if (place->has_asked && place->wire.state == WIRE_READY && is_answered(place)) {
        connections->figures.done++;
        histogram_record(&connections->us, (uint64_t)((clock_seconds() - place->began) * 1e6));
        begin_anew(connections, place);
    } else if (place->wire.state == WIRE_BROKEN) {
        connections->figures.broken++;
        begin_anew(connections, place);
    }
}

static void look_after_all(struct connections *connections)
{
    double now = clock_seconds();

    if (now - connections->looked_at < REPEAT_S)
        return;
    connections->looked_at = now;
    for (uint32_t i = 0; i < connections->options->clients; i++) {
        struct place *place = &connections->places[i];
        wire_repeat(&place->wire);
        if (now - place->began < OVERDUE_S)
            continue;
        connections->figures.overdue++;
        begin_anew(connections, place);
    }
}

static void run_until(struct connections *connections, double end, bool is_quiet)
{
    struct epoll_event events[EVENTS];
    double said_at = clock_seconds();
    uint64_t said = connections->figures.done;

    for (double now = said_at; now < end; now = clock_seconds()) {
        int count = epoll_wait(connections->epoll, events, EVENTS, 10);
        for (int i = 0; i < count; i++)
            advance(connections, &connections->places[events[i].data.u32]);
        look_after_all(connections);
        if (is_quiet || now - said_at < 1)
            continue;
        fprintf(stderr, "%.0f connections/s\n",
                (double)(connections->figures.done - said) / (now - said_at));
        said = connections->figures.done;
        said_at = now;
    }
}

static void count(struct connections *connections)
{
    const struct options *options = connections->options;
    struct connections_figures *figures = &connections->figures;
    struct busy own = busy_since_now(sched_getcpu()), relay = busy_since_now(options->relay_cpu);
    double began = clock_seconds();

    *figures = (struct connections_figures){0};
    memset(&connections->us, 0, sizeof(connections->us));
    run_until(connections, began + options->duration_s, options->is_quiet);
    figures->seconds = clock_seconds() - began;
    figures->busy = busy_share(&own);
    figures->relay_busy = busy_share(&relay);
    figures->per_second = (double)figures->done / figures->seconds;
    figures->p50_ms = (double)histogram_quantile(&connections->us, 0.5) / 1e3;
    figures->p99_ms = (double)histogram_quantile(&connections->us, 0.99) / 1e3;
}

void connections_run(const struct options *options, struct connections_figures *ret_figures)
{
    struct connections *connections = calloc(1, sizeof(*connections));

    if (!connections)
        fail("no memory");
    connections->options = options;
    connections->epoll = epoll_create1(EPOLL_CLOEXEC);
    connections->places = calloc(options->clients, sizeof(*connections->places));
    if (!connections->places || connections->epoll < 0)
        fail("no memory");
    wires_init(&connections->wires, options->transport, options->only_tls12, &options->relay);
    for (uint32_t i = 0; i < options->clients; i++)
        begin(connections, &connections->places[i]);
    run_until(connections, clock_seconds() + options->warm_up_s, true);
    count(connections);
    *ret_figures = connections->figures;
    for (uint32_t i = 0; i < options->clients; i++)
        wire_close(&connections->places[i].wire);
    wires_done(&connections->wires);
    close(connections->epoll);
    free(connections->places);
    free(connections);
}
