// SPDX-License-Identifier: BSD-3-Clause
// Claims about finding a client's connection.
#include "control/stream_table.h"

#include "control/stream_thread_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CAPACITY 4

static struct stream_table table;

static struct client_key client(const char *text, uint16_t listener)
{
    struct client_key key = {.listener = listener};

    assert_int_equal(transport_address_parse(text, &key.address), 0);
    return key;
}

static struct stream_connection *insert(const struct client_key *key)
{
    struct stream_connection *connection = stream_table_take(&table);

    assert_non_null(connection);
    connection->client = *key;
    stream_table_insert(&table, connection);
    return connection;
}

static int set_up(void **state)
{
    (void)state;
    return stream_table_init(&table, CAPACITY);
}

static int tear_down(void **state)
{
    (void)state;
    stream_table_done(&table);
    return 0;
}

static void finds_a_client_by_address_and_listener(void **state)
{
    const struct client_key keys[] = {client("192.0.2.1:1000", 1), client("192.0.2.1:1001", 1),
                                      client("192.0.2.1:1000", 2), client("[2001:db8::1]:1000", 1)};
    struct stream_connection *connections[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_null(stream_table_find(&table, &keys[i]));
        connections[i] = insert(&keys[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(stream_table_find(&table, &keys[i]), connections[i]);
    stream_table_remove(&table, connections[1]);
    assert_null(stream_table_find(&table, &keys[1]));
    assert_ptr_equal(stream_table_find(&table, &keys[0]), connections[0]);
}

static void places_are_as_many_as_were_asked_for_and_come_back_empty(void **state)
{
    struct stream_connection *connection = NULL;

    (void)state;
    for (unsigned i = 0; i < CAPACITY; i++) {
        connection = stream_table_take(&table);
        assert_non_null(connection);
        memset(connection, 0xFF, sizeof(*connection));
    }
    assert_null(stream_table_take(&table));
    stream_table_give(&table, connection);
    assert_ptr_equal(stream_table_take(&table), connection);
    assert_int_equal(connection->socket.fd, 0);
    assert_int_equal(connection->phase, 0);
    assert_int_equal(stream_table_index(&table, connection), CAPACITY - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_a_client_by_address_and_listener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_are_as_many_as_were_asked_for_and_come_back_empty,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
