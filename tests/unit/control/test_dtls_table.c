// SPDX-License-Identifier: BSD-3-Clause
// Claims about where associations are kept.
#include "control/dtls_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 4

static struct dtls_table table;

static int set_up(void **state)
{
    (void)state;
    return dtls_table_init(&table, CAPACITY);
}

static int tear_down(void **state)
{
    (void)state;
    dtls_table_done(&table);
    return 0;
}

static struct client_key client(uint16_t port, uint16_t listener)
{
    return (struct client_key){
        .address = {.ip = {.bytes = {192, 0, 2, 1}, .family = IP_FAMILY_V4}, .port = port},
        .listener = listener,
    };
}

static struct dtls_place *insert(uint16_t port)
{
    const struct client_key key = client(port, 1);

    return dtls_table_insert(&table, &key);
}

static struct dtls_place *find(uint16_t port, uint16_t listener, enum dtls_state state)
{
    const struct client_key key = client(port, listener);

    return dtls_table_find(&table, &key, state);
}

static void assert_list(enum dtls_state state, unsigned count, const uint16_t *ports)
{
    struct dtls_place *place = dtls_table_first(&table, state);

    assert_int_equal(table.lists[state].count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_non_null(place);
        assert_int_equal(place->association.client.address.port, ports[i]);
        place = dtls_table_next(&table, place);
    }
    assert_null(place);
}

#define PORTS(...)                                                                                 \
    sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t), ((const uint16_t[]){__VA_ARGS__})

static void a_client_is_found_by_address_listener_and_state(void **state)
{
    struct dtls_place *place = insert(1);

    (void)state;
    assert_ptr_equal(find(1, 1, DTLS_HALF_OPEN), place);
    assert_null(find(2, 1, DTLS_HALF_OPEN));
    assert_null(find(1, 2, DTLS_HALF_OPEN));
    assert_null(find(1, 1, DTLS_OPEN));
    dtls_table_move(&table, place, DTLS_OPEN);
    assert_ptr_equal(find(1, 1, DTLS_OPEN), place);
    assert_null(find(1, 1, DTLS_HALF_OPEN));
    dtls_table_remove(&table, place);
    assert_null(find(1, 1, DTLS_OPEN));
}

static void a_client_may_be_there_more_than_once(void **state)
{
    struct dtls_place *old = insert(1), *new;

    (void)state;
    dtls_table_move(&table, old, DTLS_OPEN);
    new = insert(1);
    assert_ptr_equal(find(1, 1, DTLS_OPEN), old);
    assert_ptr_equal(find(1, 1, DTLS_HALF_OPEN), new);
    dtls_table_remove(&table, old);
    assert_null(find(1, 1, DTLS_OPEN));
    assert_ptr_equal(find(1, 1, DTLS_HALF_OPEN), new);
}

static void each_state_has_its_order(void **state)
{
    struct dtls_place *places[CAPACITY];

    (void)state;
    for (uint16_t i = 0; i < CAPACITY; i++)
        places[i] = insert(i);
    assert_list(DTLS_HALF_OPEN, PORTS(0, 1, 2, 3));
    dtls_table_move(&table, places[2], DTLS_OPEN);
    dtls_table_move(&table, places[0], DTLS_OPEN);
    assert_list(DTLS_HALF_OPEN, PORTS(1, 3));
    assert_list(DTLS_OPEN, PORTS(2, 0));
    dtls_table_move(&table, places[3], DTLS_ENDED);
    dtls_table_move(&table, places[0], DTLS_ENDED);
    dtls_table_remove(&table, places[2]);
    assert_list(DTLS_HALF_OPEN, PORTS(1));
    assert_list(DTLS_OPEN, 0, NULL);
    assert_list(DTLS_ENDED, PORTS(3, 0));
}

static void a_full_table_takes_none_until_one_leaves(void **state)
{
    struct dtls_place *places[CAPACITY];

    (void)state;
    for (uint16_t i = 0; i < CAPACITY; i++)
        places[i] = insert(i);
    assert_null(insert(9));
    places[1]->association.is_complete = true;
    dtls_table_remove(&table, places[1]);
    assert_ptr_equal(insert(9), places[1]);
    assert_false(places[1]->association.is_complete);
    assert_list(DTLS_HALF_OPEN, PORTS(0, 2, 3, 9));
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_client_is_found_by_address_listener_and_state),
        CLAIM(a_client_may_be_there_more_than_once),
        CLAIM(each_state_has_its_order),
        CLAIM(a_full_table_takes_none_until_one_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
