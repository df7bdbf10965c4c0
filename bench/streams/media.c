// SPDX-License-Identifier: BSD-3-Clause
// One thread: sends what the windows allow, takes what has come, and sleeps when there is neither.
// A window is full when the last number that came out is so far behind: what is lost does not fill
// it for longer than until the next one comes.
#include "media.h"

#include "../fail.h"
#include "busy.h"
#include "client.h"
#include "clocks.h"
#include "peer.h"
#include "segments.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS      256
#define READS       4 // of one client, before others have their turn
#define IDLE_MS     1
#define STALLED_S   0.02
#define DRAIN_S     0.5
#define QUIET_S     0.1 // nothing more is on its way
#define PEER_NUMBER UINT32_MAX

struct media {
    const struct options *options;
    struct client *clients;
    struct peer *peer;
    int epoll;
    uint32_t window; // packets
    double moved_at, looked_at;
};

static uint64_t sum(const struct media *media, enum way way)
{
    uint64_t received = 0;

    for (uint32_t i = 0; i < media->options->clients; i++)
        received += media->clients[i].ways[way].received;
    return received;
}

static void watch(struct media *media, int fd, uint32_t number, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = number};

    if (epoll_ctl(media->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll: %s", strerror(errno));
}

static void open_media(struct media *media, const struct wires *wires)
{
    const struct options *options = media->options;
    struct client_config config = {.wires = wires,
                                   .user = options->user,
                                   .password = options->password,
                                   .payload_len = options->payload_len};

    media->peer = peer_open(&options->peer, options->payload_len);
    config.peer = peer_address(media->peer);
    media->clients = calloc(options->clients, sizeof(*media->clients));
    media->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!media->clients || media->epoll < 0)
        fail("no memory");
    watch(media, peer_socket(media->peer), PEER_NUMBER, EPOLLIN);
    for (uint32_t i = 0; i < options->clients; i++) {
        client_set_up(&media->clients[i], i, &config);
        watch(media, media->clients[i].wire.fd, i, EPOLLIN | EPOLLOUT | EPOLLET);
    }
}

static void close_media(struct media *media)
{
    for (uint32_t i = 0; i < media->options->clients; i++)
        client_close(&media->clients[i]);
    peer_close(media->peer);
    close(media->epoll);
    free(media->clients);
}

static bool receive_at_clients(struct media *media)
{
    bool moved = false;

    for (uint32_t i = 0; i < media->options->clients; i++) {
        struct client *client = &media->clients[i];
        unsigned reads = wire_is_datagrams(&client->wire) ? READS * SEGMENTS_MAX : READS;
        while (client->is_readable && reads-- > 0 && client_receive(client))
            moved = true;
    }
    return moved;
}

static bool send_all(struct media *media)
{
    const struct options *options = media->options;
    bool moved = false;

    if (options->to_client &&
        peer_send(media->peer, media->clients, options->clients, media->window) > 0)
        moved = true;
    for (uint32_t i = 0; options->to_peer && i < options->clients; i++)
        if (client_send(&media->clients[i], media->window) > 0)
            moved = true;
    return moved;
}

// Where nothing has come since this was last looked at, nothing is waited for: it was lost with all
// that was behind it.
static void give_up_stalled(struct media *media, double now)
{
    if (now - media->looked_at < STALLED_S)
        return;
    media->looked_at = now;
    for (uint32_t i = 0; i < media->options->clients; i++) {
        for (unsigned way = 0; way < WAY_COUNT; way++) {
            struct stamps *stamps = &media->clients[i].ways[way];
            if (stamps->last == stamps->seen)
                stamps->given_up = stamps->sent;
            stamps->seen = stamps->last;
        }
    }
}

static bool receive_all(struct media *media, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(media->epoll, events, EVENTS, timeout_ms);
    bool moved = false;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == PEER_NUMBER)
            moved |= peer_receive(media->peer, media->clients, media->options->clients) > 0;
        else
            media->clients[events[i].data.u32].is_readable = true;
    }
    return receive_at_clients(media) || moved;
}

static void step(struct media *media, bool sends)
{
    bool moved = sends && send_all(media);
    double now;

    moved |= receive_all(media, moved ? 0 : IDLE_MS);
    now = clock_seconds();
    if (moved)
        media->moved_at = now;
    give_up_stalled(media, now);
}

static void say(const struct media *media, double since, uint64_t before[WAY_COUNT])
{
    double seconds = clock_seconds() - since;

    for (unsigned way = 0; way < WAY_COUNT; way++) {
        uint64_t received = sum(media, way);
        fprintf(stderr, "%s %.0f packets/s%s", way == TO_PEER ? "to peer" : "to client",
                (double)(received - before[way]) / seconds, way == TO_PEER ? ", " : "\n");
        before[way] = received;
    }
}

static void run_until(struct media *media, double end, bool is_quiet)
{
    uint64_t said[WAY_COUNT] = {sum(media, TO_PEER), sum(media, TO_CLIENT)};
    double said_at = clock_seconds();

    while (clock_seconds() < end) {
        step(media, true);
        if (is_quiet || clock_seconds() - said_at < 1)
            continue;
        say(media, said_at, said);
        said_at = clock_seconds();
    }
}

static void drain(struct media *media)
{
    double end = clock_seconds() + DRAIN_S;

    while (clock_seconds() < end && clock_seconds() - media->moved_at < QUIET_S)
        step(media, false);
}

static void add_up(const struct media *media, struct media_figures *figures)
{
    for (uint32_t i = 0; i < media->options->clients; i++) {
        for (unsigned way = 0; way < WAY_COUNT; way++) {
            const struct stamps *stamps = &media->clients[i].ways[way];
            figures->ways[way].sent += stamps->sent;
            figures->ways[way].received += stamps->received;
            figures->ways[way].wrong += stamps->wrong;
            figures->ways[way].late += stamps->late;
        }
    }
    for (unsigned way = 0; way < WAY_COUNT; way++)
        figures->ways[way].lost = figures->ways[way].sent - figures->ways[way].received;
    figures->ways[TO_PEER].is_used = media->options->to_peer;
    figures->ways[TO_CLIENT].is_used = media->options->to_client;
    figures->peer_dropped = peer_dropped(media->peer);
    figures->strangers = peer_strangers(media->peer);
}

static void count(struct media *media, struct media_figures *figures)
{
    const struct options *options = media->options;
    uint64_t before[WAY_COUNT] = {sum(media, TO_PEER), sum(media, TO_CLIENT)};
    struct busy own = busy_since_now(sched_getcpu()), relay = busy_since_now(options->relay_cpu);
    double began = clock_seconds();

    run_until(media, began + options->duration_s, options->is_quiet);
    figures->seconds = clock_seconds() - began;
    figures->busy = busy_share(&own);
    figures->relay_busy = busy_share(&relay);
    for (unsigned way = 0; way < WAY_COUNT; way++) {
        double rate = (double)(sum(media, way) - before[way]) / figures->seconds;
        figures->ways[way].received_per_second = rate;
        figures->ways[way].gbit_per_second = rate * options->payload_len * 8e-9;
    }
}

void media_run(const struct options *options, struct media_figures *ret_figures)
{
    struct media media = {.options = options,
                          .window = options->window_bytes / options->payload_len};
    struct wires wires;

    if (media.window == 0)
        fail("--window is less than one payload");
    *ret_figures = (struct media_figures){0};
    wires_init(&wires, options->transport, options->only_tls12, &options->relay);
    open_media(&media, &wires);
    media.moved_at = clock_seconds();
    run_until(&media, media.moved_at + options->warm_up_s, true);
    count(&media, ret_figures);
    drain(&media);
    add_up(&media, ret_figures);
    close_media(&media);
    wires_done(&wires);
}
