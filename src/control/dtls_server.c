// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_server.h. A client may have two associations for a while, one that lives and one
// in a handshake. A hello takes a good cookie, and that is to be had by whoever sees one on its
// way: only who ends a handshake takes the place of the association that lives (RFC 6347
// section 4.2.8).
#include "control/dtls_server.h"

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "control/dtls_hello.h"
#include "control/dtls_table.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#define HANDSHAKE_MS 30000
// While there are handshakes, or ends that the control plane has not heard of.
#define BUSY_TICK_MS 100
#define IDLE_TICK_MS 1000

struct local_address {
    struct transport_address address;
    uint16_t listener;
};

struct dtls_server {
    struct dtls_server_config config;
    struct dtls_thread thread;
    struct dtls_table table;
    struct timer_wheel idle;
    struct dtls_listener listener;
    struct event *timer;
    uint32_t tick_ms; // of the timer; 0: it does not run
    uint64_t now_ms;
    uint16_t local_count;
    struct local_address locals[PLANE_LISTENERS_MAX];
    uint8_t message[DTLS_MESSAGE_MAX_LEN];
};

static struct dtls_counters *counters_of(struct dtls_server *server)
{
    return &server->thread.counters;
}

static uint32_t now_s(const struct dtls_server *server)
{
    return (uint32_t)(server->now_ms / 1000);
}

// Ends.

// In their order, as far as there is room.
static void send_news(struct dtls_server *server)
{
    struct dtls_place *place;

    while ((place = dtls_table_first(&server->table, DTLS_ENDED))) {
        const struct stream_news news = {.client = place->association.client};

        if (stream_news_send(server->thread.plane, server->thread.thread, &news) != 0)
            return;
        dtls_table_remove(&server->table, place);
    }
}

static void forget_handshake(struct dtls_server *server, struct dtls_place *place,
                             uint64_t *counter)
{
    dtls_count(counter, 1);
    dtls_association_abandon(&place->association);
    dtls_table_remove(&server->table, place);
}

static void tell_end(struct dtls_server *server, struct dtls_place *place)
{
    timer_wheel_cancel(&server->idle, dtls_table_index(&server->table, place));
    dtls_table_move(&server->table, place, DTLS_ENDED);
    send_news(server);
}

static void end(struct dtls_server *server, struct dtls_place *place)
{
    if (place->state == DTLS_HALF_OPEN) {
        forget_handshake(server, place, &counters_of(server)->failures);
        return;
    }
    dtls_association_end(&place->association);
    tell_end(server, place);
}

// Messages and records.

static void set_idle(struct dtls_server *server, const struct dtls_place *place)
{
    timer_wheel_set(&server->idle, dtls_table_index(&server->table, place), now_s(server),
                    place->active_s + server->config.idle_s);
}

// A handshake is over.
static void open_association(struct dtls_server *server, struct dtls_place *place)
{
    struct dtls_place *older =
        dtls_table_find(&server->table, &place->association.client, DTLS_OPEN);

    dtls_count(&counters_of(server)->handshakes, 1);
    dtls_table_move(&server->table, place, DTLS_OPEN);
    place->active_s = now_s(server);
    set_idle(server, place);
    if (!older)
        return;
    dtls_count(&counters_of(server)->replacements, 1);
    dtls_association_abandon(&older->association);
    tell_end(server, older);
}

// The control plane has to know of a client's end before there are messages of its next
// association.
static bool is_too_soon(const struct dtls_server *server, const struct client_key *client)
{
    return server->table.lists[DTLS_ENDED].count > 0 &&
           dtls_table_find(&server->table, client, DTLS_ENDED);
}

static void deliver(struct dtls_server *server, const struct client_key *client,
                    struct span message)
{
    struct plane *plane = server->thread.plane;
    uint16_t home =
        client_home(client->address.ip.bytes, client->address.port, plane->config.worker_count);

    dtls_count(&counters_of(server)->records_in, 1);
    if (is_too_soon(server, client) ||
        stream_send_message(plane, server->thread.thread, home, client, message) != 0)
        dtls_count(&counters_of(server)->dropped_no_room, 1);
}

// Reads what an association was given. Whether anything in it was authentic.
static bool drive(struct dtls_server *server, struct dtls_place *place, const struct dtls_way *way)
{
    struct dtls_association *association = &place->association;
    bool is_authentic = false;
    enum dtls_verdict verdict;

    do {
        size_t len;

        verdict = dtls_association_read(association, server->message, &len);
        if (association->is_complete && place->state == DTLS_HALF_OPEN) {
            open_association(server, place);
            is_authentic = true;
        }
        if (verdict == DTLS_MESSAGE) {
            deliver(server, &association->client, (struct span){server->message, len});
            is_authentic = true;
        }
    } while (verdict == DTLS_MESSAGE);
    if (is_authentic) {
        association->bio.way = *way;
        place->active_s = now_s(server);
    }
    if (verdict == DTLS_OVER) {
        end(server, place);
        return true;
    }
    dtls_association_shrink(association);
    return is_authentic;
}

static bool receive_on(struct dtls_server *server, struct dtls_place *place,
                       const struct dtls_way *way, struct span datagram)
{
    if (dtls_association_take(&place->association, datagram))
        return drive(server, place, way);
    dtls_count(&counters_of(server)->dropped_early, 1);
    return true;
}

static void receive_records(struct dtls_server *server, const struct client_key *client,
                            const struct dtls_way *way, struct span datagram)
{
    struct dtls_place *half_open, *open = dtls_table_find(&server->table, client, DTLS_OPEN);

    if (open && receive_on(server, open, way, datagram))
        return;
    half_open = dtls_table_find(&server->table, client, DTLS_HALF_OPEN);
    if (half_open)
        receive_on(server, half_open, way, datagram);
    else if (open)
        dtls_count(&counters_of(server)->dropped_refused, 1);
    else
        dtls_count(&counters_of(server)->dropped_unknown, 1);
}

// Hellos.

// Where there is no place, the handshake that takes longest gives way.
static struct dtls_place *take_place(struct dtls_server *server, const struct client_key *client)
{
    struct dtls_table *table = &server->table;
    struct dtls_place *oldest = dtls_table_first(table, DTLS_HALF_OPEN);
    bool is_full = table->lists[DTLS_HALF_OPEN].count >= server->config.handshakes_max ||
                   index_pool_free(&table->pool) == 0;

    if (oldest && is_full)
        forget_handshake(server, oldest, &counters_of(server)->failures);
    return dtls_table_insert(table, client);
}

static void begin(struct dtls_server *server, const struct client_key *client,
                  const struct dtls_way *way, struct span datagram, uint64_t hello)
{
    struct dtls_place *place = take_place(server, client);

    if (place && dtls_association_begin(&place->association, &server->thread, server->config.tls,
                                        way, datagram)) {
        place->hello = hello;
        place->began_ms = server->now_ms;
        drive(server, place, way);
        return;
    }
    if (place)
        dtls_table_remove(&server->table, place);
    dtls_count(&counters_of(server)->dropped_full, 1);
}

// Whether a client has proved its address.
static bool judge(struct dtls_server *server, const struct dtls_way *way, struct span hello)
{
    struct dtls_counters *counters = counters_of(server);

    dtls_cookie_keys_rotate(&server->thread.cookie_keys, server->now_ms);
    switch (dtls_listener_judge(&server->listener, server->config.tls, way, hello)) {
    case DTLS_HELLO_VERIFIED:
        return true;
    case DTLS_HELLO_ANSWERED:
        dtls_count(&counters->verify_requests, 1);
        break;
    case DTLS_HELLO_BAD:
        dtls_count(&counters->dropped_unknown, 1);
        break;
    case DTLS_HELLO_UNSERVED:
        dtls_count(&counters->dropped_full, 1);
        break;
    }
    return false;
}

static void receive_hello(struct dtls_server *server, const struct client_key *client,
                          const struct dtls_way *way, struct span datagram)
{
    struct dtls_place *half_open = dtls_table_find(&server->table, client, DTLS_HALF_OPEN);
    struct dtls_place *open = dtls_table_find(&server->table, client, DTLS_OPEN);
    uint64_t hello = dtls_hello_id(&server->table.by_client.key, datagram);

    dtls_count(&counters_of(server)->hellos, 1);
    // Once more the one that an association began with: late, or the answer to it was lost.
    if ((half_open && half_open->hello == hello) || (open && open->hello == hello)) {
        receive_records(server, client, way, datagram);
        return;
    }
    if (!judge(server, way, datagram))
        return;
    if (half_open)
        forget_handshake(server, half_open, &counters_of(server)->failures);
    begin(server, client, way, datagram, hello);
}

// Time.

static void retransmit(struct dtls_server *server)
{
    struct dtls_place *next, *place = dtls_table_first(&server->table, DTLS_HALF_OPEN);

    for (; place; place = next) {
        next = dtls_table_next(&server->table, place);
        if (server->now_ms >= place->began_ms + HANDSHAKE_MS)
            forget_handshake(server, place, &counters_of(server)->timeouts);
        else if (!dtls_association_retransmit(&place->association))
            forget_handshake(server, place, &counters_of(server)->failures);
    }
}

static void end_idle(struct dtls_server *server)
{
    uint32_t index;

    while ((index = timer_wheel_pop(&server->idle, now_s(server))) != INDEX_NONE) {
        struct dtls_place *place = &server->table.places[index];

        if (place->active_s + server->config.idle_s > now_s(server)) {
            set_idle(server, place);
            continue;
        }
        dtls_count(&counters_of(server)->idle, 1);
        end(server, place);
    }
}

// What has changed is seen by the timer, and by whoever reads the counters.
static void settle(struct dtls_server *server)
{
    const struct dtls_list *lists = server->table.lists;
    struct dtls_counters *counters = counters_of(server);
    uint32_t handshakes = lists[DTLS_HALF_OPEN].count, open = lists[DTLS_OPEN].count;
    uint32_t tick_ms = handshakes > 0 || lists[DTLS_ENDED].count > 0 ? BUSY_TICK_MS
                       : open > 0                                    ? IDLE_TICK_MS
                                                                     : 0;
    const struct timeval tick = {tick_ms / 1000, tick_ms % 1000 * 1000};

    __atomic_store_n(&counters->half_open, handshakes, __ATOMIC_RELAXED);
    __atomic_store_n(&counters->associations, handshakes + open, __ATOMIC_RELAXED);
    if (tick_ms == server->tick_ms)
        return;
    server->tick_ms = tick_ms;
    if (tick_ms == 0)
        event_del(server->timer);
    else
        event_add(server->timer, &tick);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct dtls_server *server = context;

    (void)fd;
    (void)what;
    server->now_ms = clock_monotonic_ms();
    retransmit(server);
    end_idle(server);
    send_news(server);
    settle(server);
}

// The door.

static void find_locals(struct dtls_server *server)
{
    const struct plane_config *config = &server->thread.plane->config;

    for (unsigned i = config->listener_count; i < plane_listener_total(config); i++) {
        const struct plane_stream_listener *listener = plane_stream_listener(config, i);

        if (listener->transport == STREAM_DTLS && listener->thread == server->thread.thread &&
            server->local_count < PLANE_LISTENERS_MAX)
            server->locals[server->local_count++] =
                (struct local_address){config->listeners[i], (uint16_t)i};
    }
}

static bool find_listener(const struct dtls_server *server, const struct transport_address *address,
                          uint16_t *ret_listener)
{
    for (unsigned i = 0; i < server->local_count; i++) {
        if (transport_address_equal(&server->locals[i].address, address)) {
            *ret_listener = server->locals[i].listener;
            return true;
        }
    }
    return false;
}

static uint32_t or_usual(uint32_t value, uint32_t usual)
{
    return value > 0 ? value : usual;
}

static struct dtls_server *make(const struct dtls_server_config *config)
{
    struct dtls_server *server = calloc(1, sizeof(*server));

    if (!server)
        return NULL;
    server->config = *config;
    server->config.handshakes_max = or_usual(config->handshakes_max, DTLS_SERVER_HANDSHAKES_MAX);
    server->config.associations_max =
        or_usual(config->associations_max, DTLS_SERVER_ASSOCIATIONS_MAX);
    server->config.idle_s = or_usual(config->idle_s, DTLS_SERVER_IDLE_S);
    server->now_ms = clock_monotonic_ms();
    server->thread.plane = config->plane;
    server->thread.thread = config->thread;
    server->thread.mtu = (uint16_t)or_usual(config->mtu, DTLS_SERVER_MTU);
    server->listener.bio.thread = &server->thread;
    dtls_cookie_keys_init(&server->thread.cookie_keys, server->now_ms);
    find_locals(server);
    return server;
}

int dtls_server_create(const struct dtls_server_config *config, struct dtls_server **ret_server)
{
    struct dtls_server *server = make(config);

    if (!server)
        return -ENOMEM;
    server->thread.scratch = BIO_ADDR_new();
    server->timer = event_new(config->base, -1, EV_PERSIST, on_tick, server);
    if (!server->thread.scratch || !server->timer ||
        dtls_table_init(&server->table, server->config.associations_max) != 0 ||
        timer_wheel_init(&server->idle, server->config.associations_max, server->config.idle_s) !=
            0) {
        dtls_server_destroy(server);
        return -ENOMEM;
    }
    *ret_server = server;
    return 0;
}

static void end_all(struct dtls_server *server)
{
    struct dtls_place *place;

    while ((place = dtls_table_first(&server->table, DTLS_HALF_OPEN)))
        forget_handshake(server, place, &counters_of(server)->failures);
    while ((place = dtls_table_first(&server->table, DTLS_OPEN))) {
        dtls_association_end(&place->association);
        dtls_table_remove(&server->table, place);
    }
}

void dtls_server_destroy(struct dtls_server *server)
{
    if (server->table.places)
        end_all(server);
    dtls_table_done(&server->table);
    timer_wheel_done(&server->idle);
    dtls_listener_done(&server->listener);
    BIO_ADDR_free(server->thread.scratch);
    if (server->timer)
        event_free(server->timer);
    free(server);
}

void dtls_server_receive(struct dtls_server *server, const struct stream_packet *datagram,
                         uint16_t worker)
{
    struct client_key client = {.address = datagram->client};
    struct dtls_way way = {
        .wire = {.client = datagram->client, .server = datagram->server},
        .worker = worker,
    };

    memcpy(way.wire.macs, datagram->macs, sizeof(way.wire.macs));
    server->now_ms = clock_monotonic_ms();
    if (!find_listener(server, &datagram->server, &client.listener)) {
        dtls_count(&counters_of(server)->dropped_no_listener, 1);
        return;
    }
    if (dtls_hello_is(datagram->payload))
        receive_hello(server, &client, &way, datagram->payload);
    else
        receive_records(server, &client, &way, datagram->payload);
    settle(server);
}

void dtls_server_send(struct dtls_server *server, const struct client_key *client,
                      struct span message)
{
    struct dtls_place *place = dtls_table_find(&server->table, client, DTLS_OPEN);

    if (!place) {
        dtls_count(&counters_of(server)->dropped_no_client, 1);
        return;
    }
    if (message.len > place->association.message_max_len) {
        dtls_count(&counters_of(server)->dropped_too_long, 1);
        return;
    }
    server->now_ms = clock_monotonic_ms();
    place->active_s = now_s(server);
    dtls_count(&counters_of(server)->records_out, 1);
    if (dtls_association_write(&place->association, message))
        dtls_association_shrink(&place->association);
    else
        end(server, place);
}

void dtls_server_flush(struct dtls_server *server)
{
    send_news(server);
    settle(server);
}

void dtls_server_close(struct dtls_server *server, const struct client_key *client)
{
    struct dtls_place *place = dtls_table_find(&server->table, client, DTLS_OPEN);

    if (place)
        end(server, place);
    settle(server);
}

const struct dtls_counters *dtls_server_counters(const struct dtls_server *server)
{
    return &server->thread.counters;
}
