// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_server.h. A client may have two associations for a while, one that lives and one
// in a handshake. A hello takes a good cookie, and that is to be had by whoever sees one on its
// way: only who ends a handshake takes the place of the association that lives (RFC 6347
// section 4.2.8).
#include "control/dtls_server.h"

#include "base/clock.h"
#include "control/dtls_clients.h"
#include "control/dtls_hello.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"
#include "proto/stun.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

// Associations that have OpenSSL's buffers at once.
#define SWOLLEN_MAX 128

struct local_address {
    struct transport_address address;
    uint16_t listener;
};

struct dtls_server {
    struct tls_contexts *tls;
    struct dtls_thread thread;
    struct dtls_clients clients;
    struct dtls_listener listener;
    struct event *timer;
    uint32_t tick_ms; // of the timer; 0: it does not run
    uint16_t mtu;
    uint16_t local_count;
    struct local_address locals[PLANE_LISTENERS_MAX];
    uint32_t swollen[SWOLLEN_MAX]; // places
    unsigned swollen_count;
    uint8_t message[DTLS_MESSAGE_MAX_LEN];
};

static struct dtls_counters *counters_of(struct dtls_server *server)
{
    return &server->thread.counters;
}

static struct dtls_place *find(const struct dtls_server *server, const struct client_key *client,
                               enum dtls_state state)
{
    return dtls_table_find(&server->clients.table, client, state);
}

// Buffers, which one association after the other would take and give back with each message.

static void shrink_all(struct dtls_server *server)
{
    for (unsigned i = 0; i < server->swollen_count; i++) {
        struct dtls_place *place = &server->clients.table.places[server->swollen[i]];

        place->is_swollen = false;
        if (place->association.ssl)
            dtls_association_shrink(&place->association);
    }
    server->swollen_count = 0;
}

static void shrink_later(struct dtls_server *server, struct dtls_place *place)
{
    if (place->is_swollen)
        return;
    if (server->swollen_count == SWOLLEN_MAX)
        shrink_all(server);
    place->is_swollen = true;
    server->swollen[server->swollen_count++] = dtls_table_index(&server->clients.table, place);
}

// Records.

static void deliver(struct dtls_server *server, const struct client_key *client,
                    struct span message)
{
    struct plane *plane = server->thread.plane;
    uint16_t home =
        client_home(client->address.ip.bytes, client->address.port, plane->config.worker_count);

    dtls_count(&counters_of(server)->records_in, 1);
    if (dtls_clients_is_too_soon(&server->clients, client) ||
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
            dtls_clients_open(&server->clients, place);
            is_authentic = true;
        }
        if (verdict == DTLS_MESSAGE) {
            deliver(server, &association->client, (struct span){server->message, len});
            is_authentic = true;
        }
    } while (verdict == DTLS_MESSAGE);
    if (is_authentic) {
        association->bio.way = *way;
        dtls_clients_touch(&server->clients, place);
    }
    if (verdict == DTLS_OVER) {
        dtls_clients_end(&server->clients, place);
        return true;
    }
    shrink_later(server, place);
    return is_authentic;
}

static bool receive_on(struct dtls_server *server, struct dtls_place *place,
                       const struct dtls_way *way, struct span datagram)
{
    if (dtls_association_is_harmed_by(&place->association, datagram)) {
        if (place->state == DTLS_HALF_OPEN)
            dtls_count(&counters_of(server)->dropped_refused, 1);
        return false;
    }
    if (dtls_association_take(&place->association, datagram))
        return drive(server, place, way);
    dtls_count(&counters_of(server)->dropped_early, 1);
    return true;
}

static void receive_records(struct dtls_server *server, const struct client_key *client,
                            const struct dtls_way *way, struct span datagram)
{
    struct dtls_place *half_open, *open = dtls_clients_find_open(&server->clients, client);

    if (open && receive_on(server, open, way, datagram))
        return;
    half_open = find(server, client, DTLS_HALF_OPEN);
    if (half_open)
        receive_on(server, half_open, way, datagram);
    else if (open)
        dtls_count(&counters_of(server)->dropped_refused, 1);
    else
        dtls_count(&counters_of(server)->dropped_unknown, 1);
}

// Hellos.

static void begin(struct dtls_server *server, const struct client_key *client,
                  const struct dtls_way *way, struct span datagram, uint64_t hello)
{
    struct dtls_place *place = dtls_clients_take(&server->clients, client);

    if (place &&
        dtls_association_begin(&place->association, &server->thread, server->tls, way, datagram)) {
        place->hello = hello;
        drive(server, place, way);
        return;
    }
    if (place)
        dtls_clients_end(&server->clients, place);
    dtls_count(&counters_of(server)->dropped_full, 1);
}

// Whether a client has proved its address.
static bool judge(struct dtls_server *server, const struct dtls_way *way, struct span hello)
{
    struct dtls_counters *counters = counters_of(server);

    dtls_cookie_keys_rotate(&server->thread.cookie_keys, server->clients.now_ms);
    switch (dtls_listener_judge(&server->listener, server->tls, way, hello)) {
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
    struct dtls_place *half_open = find(server, client, DTLS_HALF_OPEN);
    struct dtls_place *open = dtls_clients_find_open(&server->clients, client);
    uint64_t hello = dtls_hello_id(&server->clients.table.by_client.key, datagram);

    dtls_count(&counters_of(server)->hellos, 1);
    // Once more the one that an association began with: late, or the answer to it was lost.
    if ((half_open && half_open->hello == hello) || (open && open->hello == hello)) {
        receive_records(server, client, way, datagram);
        return;
    }
    if (!judge(server, way, datagram))
        return;
    if (half_open)
        dtls_clients_end(&server->clients, half_open);
    begin(server, client, way, datagram, hello);
}

// Time.

// What has changed is seen by the timer, and by whoever reads the counters.
static void settle(struct dtls_server *server)
{
    const struct dtls_list *lists = server->clients.table.lists;
    struct dtls_counters *counters = counters_of(server);
    uint32_t handshakes = lists[DTLS_HALF_OPEN].count;
    uint32_t tick_ms = dtls_clients_tick_ms(&server->clients);
    const struct timeval tick = {tick_ms / 1000, tick_ms % 1000 * 1000};

    __atomic_store_n(&counters->half_open, handshakes, __ATOMIC_RELAXED);
    __atomic_store_n(&counters->associations,
                     handshakes + lists[DTLS_QUIET].count + lists[DTLS_OPEN].count,
                     __ATOMIC_RELAXED);
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
    server->clients.now_ms = clock_monotonic_ms();
    dtls_clients_tick(&server->clients);
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

static int init_clients(struct dtls_server *server, const struct dtls_server_config *config)
{
    const struct dtls_limits limits = {
        .associations_max = or_usual(config->associations_max, DTLS_SERVER_ASSOCIATIONS_MAX),
        .handshakes_max = or_usual(config->handshakes_max, DTLS_SERVER_HANDSHAKES_MAX),
        .per_source = config->per_source,
        .quiet_s = or_usual(config->quiet_s, DTLS_SERVER_QUIET_S),
        .idle_s = or_usual(config->idle_s, DTLS_SERVER_IDLE_S),
    };

    return dtls_clients_init(&server->clients, &server->thread, &limits);
}

static void free_server(struct dtls_server *server)
{
    dtls_listener_done(&server->listener);
    BIO_ADDR_free(server->thread.scratch);
    if (server->timer)
        event_free(server->timer);
    free(server);
}

int dtls_server_create(const struct dtls_server_config *config, struct dtls_server **ret_server)
{
    struct dtls_server *server = calloc(1, sizeof(*server));

    if (!server)
        return -ENOMEM;
    server->tls = config->tls;
    server->thread.plane = config->plane;
    server->thread.thread = config->thread;
    server->mtu = (uint16_t)or_usual(config->mtu, DTLS_SERVER_MTU);
    server->thread.scratch = BIO_ADDR_new();
    server->listener.bio.thread = &server->thread;
    server->timer = event_new(config->base, -1, EV_PERSIST, on_tick, server);
    dtls_cookie_keys_init(&server->thread.cookie_keys, clock_monotonic_ms());
    find_locals(server);
    if (!server->thread.scratch || !server->timer || init_clients(server, config) != 0) {
        free_server(server);
        return -ENOMEM;
    }
    *ret_server = server;
    return 0;
}

void dtls_server_destroy(struct dtls_server *server)
{
    dtls_clients_done(&server->clients);
    free_server(server);
}

void dtls_server_receive(struct dtls_server *server, const struct stream_packet *datagram,
                         uint16_t worker)
{
    struct client_key client = {.address = datagram->client};
    struct dtls_way way = {
        .wire = {.client = datagram->client, .server = datagram->server, .hop = datagram->hop},
        .worker = worker,
    };

    way.wire.hop.mtu = server->mtu;
    server->clients.now_ms = clock_monotonic_ms();
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

// The client has an allocation from here on.
static bool is_allocated(struct span message)
{
    return message.len >= STUN_HEADER_LEN && load_be16(message.data) == STUN_ALLOCATE_SUCCESS_TYPE;
}

// What is relayed goes as routes say, like any other datagram; the rest goes where the client's own
// come from.
static bool write_by(struct dtls_association *association, struct span message,
                     const struct stream_hop *hop)
{
    struct stream_hop *in_use = &association->bio.way.wire.hop, own = *in_use;
    bool is_written;

    if (hop->mtu > 0)
        *in_use = *hop;
    is_written = dtls_association_write(association, message);
    *in_use = own;
    return is_written;
}

void dtls_server_send(struct dtls_server *server, const struct client_key *client,
                      struct span message, const struct stream_hop *hop)
{
    struct dtls_place *place = dtls_clients_find_open(&server->clients, client);

    if (!place) {
        dtls_count(&counters_of(server)->dropped_no_client, 1);
        return;
    }
    if (message.len > DTLS_MESSAGE_MAX_LEN) {
        dtls_count(&counters_of(server)->dropped_too_long, 1);
        return;
    }
    server->clients.now_ms = clock_monotonic_ms();
    dtls_clients_touch(&server->clients, place);
    dtls_count(&counters_of(server)->records_out, 1);
    if (is_allocated(message))
        dtls_clients_serve(&server->clients, place);
    if (write_by(&place->association, message, hop))
        shrink_later(server, place);
    else
        dtls_clients_end(&server->clients, place);
}

void dtls_server_flush(struct dtls_server *server)
{
    shrink_all(server);
    dtls_clients_send_news(&server->clients);
    settle(server);
}

void dtls_server_close(struct dtls_server *server, const struct client_key *client)
{
    struct dtls_place *place = dtls_clients_find_open(&server->clients, client);

    if (place)
        dtls_clients_end(&server->clients, place);
    settle(server);
}

const struct dtls_counters *dtls_server_counters(const struct dtls_server *server)
{
    return &server->thread.counters;
}
