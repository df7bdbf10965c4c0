// SPDX-License-Identifier: BSD-3-Clause
// Claims about who gives way to whom, and whether the control plane hears of it. The associations
// are empty: what they say to their clients is claimed in test_dtls_association.c and
// test_dtls_server.c.
#include "control/dtls_clients.h"

#include "dtls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS         UINT64_C(5000000)
#define CAPACITY       4
#define HANDSHAKES_MAX 2
#define PER_SOURCE     5
#define QUIET_S        10
#define IDLE_S         60

struct bench {
    struct fixture *fixture;
    struct dtls_thread thread;
    struct dtls_clients clients;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    const struct dtls_limits limits = {CAPACITY, HANDSHAKES_MAX, PER_SOURCE, QUIET_S, IDLE_S};

    assert_non_null(bench);
    bench->fixture = fixture_create(&(struct dtls_server_config){});
    bench->thread = (struct dtls_thread){.plane = bench->fixture->plane, .thread = 1};
    assert_int_equal(dtls_clients_init(&bench->clients, &bench->thread, &limits), 0);
    bench->clients.now_ms = NOW_MS;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    dtls_clients_done(&bench->clients);
    fixture_destroy(bench->fixture);
    free(bench);
    return 0;
}

static struct client_key client(uint16_t port)
{
    return (struct client_key){
        .address = {.ip = {.bytes = {192, 0, 2, 1}, .family = IP_FAMILY_V4}, .port = port},
        .listener = FIXTURE_LISTENER_V4,
    };
}

static struct dtls_place *take(struct bench *bench, uint16_t port)
{
    const struct client_key key = client(port);

    return dtls_clients_take(&bench->clients, &key);
}

static struct dtls_place *open_one(struct bench *bench, uint16_t port)
{
    struct dtls_place *place = take(bench, port);

    assert_non_null(place);
    dtls_clients_open(&bench->clients, place);
    return place;
}

// And with an allocation.
static struct dtls_place *serve_one(struct bench *bench, uint16_t port)
{
    struct dtls_place *place = open_one(bench, port);

    dtls_clients_serve(&bench->clients, place);
    return place;
}

static bool is_there(struct bench *bench, uint16_t port, enum dtls_state state)
{
    const struct client_key key = client(port);

    return dtls_table_find(&bench->clients.table, &key, state) != NULL;
}

static bool is_too_soon(struct bench *bench, uint16_t port)
{
    const struct client_key key = client(port);

    return dtls_clients_is_too_soon(&bench->clients, &key);
}

// The port of the next, 0: none.
static uint16_t hear_news(struct bench *bench)
{
    struct stream_news news;

    return stream_news_receive(bench->fixture->plane, 1, &news) ? news.client.address.port : 0;
}

static void pass_ms(struct bench *bench, uint64_t ms)
{
    bench->clients.now_ms += ms;
    dtls_clients_tick(&bench->clients);
}

static void too_many_handshakes_cost_the_oldest(void **state)
{
    struct bench *bench = *state;

    take(bench, 1);
    take(bench, 2);
    take(bench, 3);
    assert_false(is_there(bench, 1, DTLS_HALF_OPEN));
    assert_true(is_there(bench, 2, DTLS_HALF_OPEN));
    assert_true(is_there(bench, 3, DTLS_HALF_OPEN));
    assert_int_equal(bench->thread.counters.failures, 1);
    assert_int_equal(hear_news(bench), 0);
}

static void a_handshake_gives_way_where_there_is_no_place_left(void **state)
{
    struct bench *bench = *state;

    for (uint16_t port = 1; port < CAPACITY; port++)
        open_one(bench, port);
    take(bench, 8);
    take(bench, 9);
    assert_false(is_there(bench, 8, DTLS_HALF_OPEN));
    for (uint16_t port = 1; port < CAPACITY; port++)
        assert_true(is_there(bench, port, DTLS_QUIET));
    assert_int_equal(hear_news(bench), 0);
}

static void then_the_one_that_has_been_quiet_for_longest_gives_way(void **state)
{
    struct bench *bench = *state;

    serve_one(bench, 1);
    open_one(bench, 2);
    open_one(bench, 3);
    serve_one(bench, 4);
    assert_non_null(take(bench, 5));
    assert_int_equal(hear_news(bench), 2);
    assert_false(is_there(bench, 2, DTLS_QUIET));
    assert_true(is_there(bench, 3, DTLS_QUIET));
    assert_int_equal(hear_news(bench), 0);
}

static void who_has_an_allocation_never_gives_way(void **state)
{
    struct bench *bench = *state;

    for (uint16_t port = 1; port <= CAPACITY; port++)
        serve_one(bench, port);
    assert_null(take(bench, 8));
    for (uint16_t port = 1; port <= CAPACITY; port++)
        assert_true(is_there(bench, port, DTLS_OPEN));
    assert_int_equal(hear_news(bench), 0);
}

static void a_source_has_no_more_than_its_share(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *place;

    bench->clients.sources.max = 2;
    place = open_one(bench, 1);
    take(bench, 2);
    assert_null(take(bench, 3));
    dtls_clients_end(&bench->clients, place);
    assert_non_null(take(bench, 3));
    assert_null(take(bench, 4));
    pass_ms(bench, DTLS_HANDSHAKE_MS);
    assert_non_null(take(bench, 4));
    assert_non_null(take(bench, 5));
    assert_null(take(bench, 6));
}

static void only_one_of_a_client_is_open(void **state)
{
    struct bench *bench = *state;

    open_one(bench, 1);
    take(bench, 1);
    assert_int_equal(hear_news(bench), 0);
    open_one(bench, 1);
    assert_int_equal(bench->clients.table.lists[DTLS_QUIET].count, 1);
    assert_int_equal(bench->thread.counters.replacements, 1);
    assert_int_equal(hear_news(bench), 1);
    assert_int_equal(hear_news(bench), 0);
}

static void a_handshake_has_its_time(void **state)
{
    struct bench *bench = *state;

    take(bench, 1);
    bench->clients.now_ms += DTLS_HANDSHAKE_MS / 2;
    serve_one(bench, 2);
    pass_ms(bench, DTLS_HANDSHAKE_MS / 2);
    assert_false(is_there(bench, 1, DTLS_HALF_OPEN));
    assert_int_equal(bench->thread.counters.timeouts, 1);
    assert_true(is_there(bench, 2, DTLS_OPEN));
    assert_int_equal(hear_news(bench), 0);
}

static void traffic_keeps_one_alive(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *place = serve_one(bench, 1);

    serve_one(bench, 2);
    pass_ms(bench, IDLE_S * 1000 - 1000);
    dtls_clients_touch(&bench->clients, place);
    pass_ms(bench, 1000);
    assert_true(is_there(bench, 1, DTLS_OPEN));
    assert_int_equal(hear_news(bench), 2);
    pass_ms(bench, IDLE_S * 1000 - 2000);
    assert_true(is_there(bench, 1, DTLS_OPEN));
    assert_int_equal(hear_news(bench), 2); // once more
    pass_ms(bench, 1000);
    assert_int_equal(hear_news(bench), 1);
    assert_int_equal(bench->thread.counters.idle, 2);
}

static void without_an_allocation_nobody_stays_for_long(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *place = open_one(bench, 1);

    open_one(bench, 2);
    serve_one(bench, 3);
    pass_ms(bench, QUIET_S * 1000 - 1000);
    dtls_clients_serve(&bench->clients, place);
    assert_int_equal(bench->thread.counters.idle, 0);
    pass_ms(bench, 1000);
    assert_int_equal(bench->thread.counters.idle, 1);
    assert_int_equal(hear_news(bench), 2);
    pass_ms(bench, (IDLE_S - QUIET_S) * 1000 - 1000);
    assert_int_equal(bench->thread.counters.idle, 1);
    pass_ms(bench, 1000);
    assert_int_equal(bench->thread.counters.idle, 3);
}

static void the_time_of_one_that_ended_is_no_others(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *place = open_one(bench, 1);

    dtls_clients_end(&bench->clients, place);
    assert_int_equal(hear_news(bench), 1);
    bench->clients.now_ms += (QUIET_S - 1) * 1000;
    assert_ptr_equal(take(bench, 2), place);
    dtls_clients_open(&bench->clients, place);
    pass_ms(bench, 1000);
    assert_int_equal(hear_news(bench), 1); // once more
    assert_true(is_there(bench, 2, DTLS_QUIET));
    dtls_clients_end(&bench->clients, place);
    assert_int_equal(hear_news(bench), 2);
    assert_int_equal(bench->clients.idle.count, 0);
}

static void ends_wait_until_they_can_be_told(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *first = open_one(bench, 1), *second = open_one(bench, 2);
    const struct stream_news filler = {.client = client(99)};

    while (stream_news_send(bench->fixture->plane, 1, &filler) == 0)
        ;
    dtls_clients_end(&bench->clients, second);
    dtls_clients_end(&bench->clients, first);
    assert_true(dtls_clients_tick_ms(&bench->clients) > 0);
    assert_true(is_too_soon(bench, 1));
    assert_true(is_too_soon(bench, 2));
    assert_false(is_too_soon(bench, 3));
    assert_int_equal(hear_news(bench), 99);
    pass_ms(bench, 100);
    assert_true(is_too_soon(bench, 1));
    assert_false(is_too_soon(bench, 2));
    while (hear_news(bench) == 99)
        ;
    dtls_clients_send_news(&bench->clients);
    assert_int_equal(hear_news(bench), 1);
    assert_false(is_too_soon(bench, 1));
}

static void an_end_is_told_once_more(void **state)
{
    struct bench *bench = *state;

    dtls_clients_end(&bench->clients, open_one(bench, 1));
    dtls_clients_end(&bench->clients, open_one(bench, 2));
    assert_int_equal(hear_news(bench), 1);
    assert_int_equal(hear_news(bench), 2);
    open_one(bench, 1);
    pass_ms(bench, 2000);
    // The other one has come back.
    assert_int_equal(hear_news(bench), 2);
    pass_ms(bench, 2000);
    assert_int_equal(hear_news(bench), 0);
}

static void time_is_looked_at_as_often_as_there_is_need(void **state)
{
    struct bench *bench = *state;
    struct dtls_place *place;

    assert_int_equal(dtls_clients_tick_ms(&bench->clients), 0);
    place = take(bench, 1);
    assert_int_equal(dtls_clients_tick_ms(&bench->clients), 100);
    dtls_clients_open(&bench->clients, place);
    assert_int_equal(dtls_clients_tick_ms(&bench->clients), 1000);
    dtls_clients_end(&bench->clients, place);
    assert_int_equal(dtls_clients_tick_ms(&bench->clients), 1000);
    pass_ms(bench, 2000);
    assert_int_equal(dtls_clients_tick_ms(&bench->clients), 0);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(too_many_handshakes_cost_the_oldest),
        CLAIM(a_handshake_gives_way_where_there_is_no_place_left),
        CLAIM(then_the_one_that_has_been_quiet_for_longest_gives_way),
        CLAIM(who_has_an_allocation_never_gives_way),
        CLAIM(a_source_has_no_more_than_its_share),
        CLAIM(only_one_of_a_client_is_open),
        CLAIM(a_handshake_has_its_time),
        CLAIM(traffic_keeps_one_alive),
        CLAIM(without_an_allocation_nobody_stays_for_long),
        CLAIM(the_time_of_one_that_ended_is_no_others),
        CLAIM(ends_wait_until_they_can_be_told),
        CLAIM(an_end_is_told_once_more),
        CLAIM(time_is_looked_at_as_often_as_there_is_need),
    };
    return cmocka_run_group_tests(tests, fixture_group_set_up, fixture_group_tear_down);
}
