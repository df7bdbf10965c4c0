// SPDX-License-Identifier: BSD-3-Clause
#include "control/stream_farewells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct client_key client(uint16_t port)
{
    return (struct client_key){.address = {.port = port}};
}

static void add(struct stream_farewells *farewells, uint16_t port, uint32_t now_s)
{
    const struct client_key key = client(port);

    stream_farewells_add(farewells, &key, now_s);
}

static void each_comes_once_and_not_before_a_second_is_over(void **state)
{
    struct stream_farewells farewells = {0};
    struct client_key key;

    (void)state;
    assert_false(stream_farewells_next(&farewells, 100, &key));
    add(&farewells, 1, 100);
    add(&farewells, 2, 101);
    assert_false(stream_farewells_next(&farewells, 101, &key));
    assert_true(stream_farewells_next(&farewells, 102, &key));
    assert_int_equal(key.address.port, 1);
    assert_false(stream_farewells_next(&farewells, 102, &key));
    assert_true(stream_farewells_next(&farewells, 200, &key));
    assert_int_equal(key.address.port, 2);
    assert_false(stream_farewells_next(&farewells, 200, &key));
    stream_farewells_done(&farewells);
}

static void the_oldest_are_forgotten_where_there_are_too_many(void **state)
{
    struct stream_farewells farewells = {0};
    struct client_key key;

    (void)state;
    for (uint16_t port = 1; port <= STREAM_FAREWELLS_MAX + 5; port++)
        add(&farewells, port, 100);
    for (uint16_t port = 6; port <= STREAM_FAREWELLS_MAX + 5; port++) {
        assert_true(stream_farewells_next(&farewells, 102, &key));
        assert_int_equal(key.address.port, port);
    }
    assert_false(stream_farewells_next(&farewells, 102, &key));
    stream_farewells_done(&farewells);
    assert_false(stream_farewells_next(&farewells, 102, &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_once_and_not_before_a_second_is_over),
        cmocka_unit_test(the_oldest_are_forgotten_where_there_are_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
