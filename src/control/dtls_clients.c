// SPDX-License-Identifier: BSD-3-Clause
// See control/dtls_clients.h.
#include "control/dtls_clients.h"

#include <errno.h>

// While there are handshakes, or ends to be told.
#define BUSY_TICK_MS 100
#define IDLE_TICK_MS 1000

static struct dtls_counters *counters_of(struct dtls_clients *clients)
{
    return &clients->thread->counters;
}

static uint32_t now_s(const struct dtls_clients *clients)
{
    return (uint32_t)(clients->now_ms / 1000);
}

int dtls_clients_init(struct dtls_clients *clients, struct dtls_thread *thread,
                      const struct dtls_limits *limits)
{
    struct dtls_clients made = {.thread = thread, .limits = *limits};

    if (dtls_table_init(&made.table, limits->associations_max) != 0)
        return -ENOMEM;
    if (timer_wheel_init(&made.idle, limits->associations_max, limits->idle_s) != 0)
        goto no_idle;
    // One more: a source is there before who gives way to it has gone.
    if (stream_sources_init(&made.sources, limits->associations_max + 1, limits->per_source) != 0)
        goto no_sources;
    *clients = made;
    return 0;
no_sources:
    timer_wheel_done(&made.idle);
no_idle:
    dtls_table_done(&made.table);
    return -ENOMEM;
}

static void remove_place(struct dtls_clients *clients, struct dtls_place *place)
{
    stream_sources_give(&clients->sources, &place->association.client.address.ip);
    dtls_table_remove(&clients->table, place);
}

static void forget_handshake(struct dtls_clients *clients, struct dtls_place *place,
                             uint64_t *counter)
{
    dtls_count(counter, 1);
    dtls_association_abandon(&place->association);
    remove_place(clients, place);
}

static void give_up(struct dtls_clients *clients, struct dtls_place *place)
{
    forget_handshake(clients, place, &counters_of(clients)->failures);
}

static void close_all(struct dtls_clients *clients, enum dtls_state state)
{
    struct dtls_place *place;

    while ((place = dtls_table_first(&clients->table, state))) {
        dtls_association_end(&place->association);
        remove_place(clients, place);
    }
}

void dtls_clients_done(struct dtls_clients *clients)
{
    struct dtls_place *place;

    while ((place = dtls_table_first(&clients->table, DTLS_HALF_OPEN)))
        give_up(clients, place);
    close_all(clients, DTLS_QUIET);
    close_all(clients, DTLS_OPEN);
    stream_farewells_done(&clients->farewells);
    stream_sources_done(&clients->sources);
    dtls_table_done(&clients->table);
    timer_wheel_done(&clients->idle);
}

static void make_room(struct dtls_clients *clients)
{
    struct dtls_table *table = &clients->table;
    struct dtls_place *oldest = dtls_table_first(table, DTLS_HALF_OPEN);
    struct dtls_place *quiet = dtls_table_first(table, DTLS_QUIET);
    bool is_full = index_pool_free(&table->pool) == 0;

    if (oldest && (is_full || table->lists[DTLS_HALF_OPEN].count >= clients->limits.handshakes_max))
        give_up(clients, oldest);
    else if (is_full && quiet)
        dtls_clients_end(clients, quiet);
}

struct dtls_place *dtls_clients_take(struct dtls_clients *clients, const struct client_key *client)
{
    struct dtls_place *place;

    if (!stream_sources_take(&clients->sources, &client->address.ip))
        return NULL;
    make_room(clients);
    place = dtls_table_insert(&clients->table, client);
    if (place)
        place->began_ms = clients->now_ms;
    else
        stream_sources_give(&clients->sources, &client->address.ip);
    return place;
}

static void tell_end(struct dtls_clients *clients, struct dtls_place *place)
{
    timer_wheel_cancel(&clients->idle, dtls_table_index(&clients->table, place));
    dtls_table_move(&clients->table, place, DTLS_ENDED);
    dtls_clients_send_news(clients);
}

static uint32_t deadline_s(const struct dtls_clients *clients, const struct dtls_place *place)
{
    return place->active_s +
           (place->state == DTLS_QUIET ? clients->limits.quiet_s : clients->limits.idle_s);
}

static void set_idle(struct dtls_clients *clients, const struct dtls_place *place)
{
    timer_wheel_set(&clients->idle, dtls_table_index(&clients->table, place), now_s(clients),
                    deadline_s(clients, place));
}

struct dtls_place *dtls_clients_find_open(const struct dtls_clients *clients,
                                          const struct client_key *client)
{
    struct dtls_place *place = dtls_table_find(&clients->table, client, DTLS_OPEN);

    return place ? place : dtls_table_find(&clients->table, client, DTLS_QUIET);
}

void dtls_clients_serve(struct dtls_clients *clients, struct dtls_place *place)
{
    if (place->state == DTLS_QUIET)
        dtls_table_move(&clients->table, place, DTLS_OPEN);
}

void dtls_clients_touch(struct dtls_clients *clients, struct dtls_place *place)
{
    place->active_s = now_s(clients);
}

void dtls_clients_open(struct dtls_clients *clients, struct dtls_place *place)
{
    struct dtls_place *older = dtls_clients_find_open(clients, &place->association.client);

    dtls_count(&counters_of(clients)->handshakes, 1);
    dtls_table_move(&clients->table, place, DTLS_QUIET);
    dtls_clients_touch(clients, place);
    set_idle(clients, place);
    if (!older)
        return;
    dtls_count(&counters_of(clients)->replacements, 1);
    dtls_association_abandon(&older->association);
    tell_end(clients, older);
}

void dtls_clients_end(struct dtls_clients *clients, struct dtls_place *place)
{
    if (place->state == DTLS_HALF_OPEN) {
        give_up(clients, place);
        return;
    }
    dtls_association_end(&place->association);
    tell_end(clients, place);
}

bool dtls_clients_is_too_soon(const struct dtls_clients *clients, const struct client_key *client)
{
    return clients->table.lists[DTLS_ENDED].count > 0 &&
           dtls_table_find(&clients->table, client, DTLS_ENDED);
}

void dtls_clients_send_news(struct dtls_clients *clients)
{
    struct dtls_place *place;

    while ((place = dtls_table_first(&clients->table, DTLS_ENDED))) {
        const struct stream_news news = {.client = place->association.client};

        if (stream_news_send(clients->thread->plane, clients->thread->thread, &news) != 0)
            return;
        stream_farewells_add(&clients->farewells, &news.client, now_s(clients));
        remove_place(clients, place);
    }
}

static void tell_again(struct dtls_clients *clients)
{
    struct stream_news news;

    while (stream_farewells_next(&clients->farewells, now_s(clients), &news.client)) {
        if (!dtls_clients_find_open(clients, &news.client) &&
            stream_news_send(clients->thread->plane, clients->thread->thread, &news) != 0)
            stream_farewells_add(&clients->farewells, &news.client, now_s(clients));
    }
}

static void retransmit(struct dtls_clients *clients)
{
    struct dtls_place *next, *place = dtls_table_first(&clients->table, DTLS_HALF_OPEN);

    for (; place; place = next) {
        next = dtls_table_next(&clients->table, place);
        if (clients->now_ms >= place->began_ms + DTLS_HANDSHAKE_MS)
            forget_handshake(clients, place, &counters_of(clients)->timeouts);
        else if (!dtls_association_retransmit(&place->association))
            give_up(clients, place);
    }
}

// Traffic does not move a timer: it is looked at when it is due.
static void end_idle(struct dtls_clients *clients)
{
    uint32_t index;

    while ((index = timer_wheel_pop(&clients->idle, now_s(clients))) != INDEX_NONE) {
        struct dtls_place *place = &clients->table.places[index];

        if (deadline_s(clients, place) > now_s(clients)) {
            set_idle(clients, place);
            continue;
        }
        dtls_count(&counters_of(clients)->idle, 1);
        dtls_clients_end(clients, place);
    }
}

void dtls_clients_tick(struct dtls_clients *clients)
{
    retransmit(clients);
    end_idle(clients);
    tell_again(clients);
    dtls_clients_send_news(clients);
}

uint32_t dtls_clients_tick_ms(const struct dtls_clients *clients)
{
    const struct dtls_list *lists = clients->table.lists;

    if (lists[DTLS_HALF_OPEN].count > 0 || lists[DTLS_ENDED].count > 0)
        return BUSY_TICK_MS;
    return lists[DTLS_QUIET].count + lists[DTLS_OPEN].count + clients->farewells.count > 0
               ? IDLE_TICK_MS
               : 0;
}
