// SPDX-License-Identifier: BSD-3-Clause
// base/index_lists.h.
#include "base/index_lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CAPACITY 8

static struct index_lists lists;

static int setup(void **state)
{
    (void)state;
    return index_lists_init(&lists, CAPACITY);
}

static int teardown(void **state)
{
    (void)state;
    index_lists_done(&lists);
    return 0;
}

// Each next and previous says the same, and the list holds these indices and no others.
static void assert_holds(uint32_t first, unsigned indices)
{
    unsigned found = 0;
    uint32_t previous = INDEX_NONE;
    for (uint32_t at = first; at != INDEX_NONE; at = index_lists_next(&lists, at)) {
        assert_int_equal(lists.links[at].previous, previous);
        assert_int_equal(found & 1u << at, 0);
        found |= 1u << at;
        previous = at;
    }
    assert_int_equal(found, indices);
}

static void what_was_added_last_comes_first(void **state)
{
    (void)state;
    uint32_t first = INDEX_NONE;
    index_lists_add(&lists, &first, 3);
    index_lists_add(&lists, &first, 1);
    assert_int_equal(first, 1);
    assert_int_equal(index_lists_next(&lists, 1), 3);
    assert_int_equal(index_lists_next(&lists, 3), INDEX_NONE);
}

static void a_list_of_three_is_whole_in_whatever_order_it_ends(void **state)
{
    (void)state;
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (unsigned order = 0; order < 6; order++) {
        uint32_t first = INDEX_NONE;
        unsigned left = 7;
        for (uint32_t i = 0; i < 3; i++)
            index_lists_add(&lists, &first, i);
        for (unsigned i = 0; i < 3; i++) {
            assert_holds(first, left);
            index_lists_remove(&lists, &first, orders[order][i]);
            left &= ~(1u << orders[order][i]);
        }
        assert_int_equal(first, INDEX_NONE);
    }
}

static void lists_do_not_know_of_each_other(void **state)
{
    (void)state;
    uint32_t odd = INDEX_NONE;
    uint32_t even = INDEX_NONE;
    for (uint32_t i = 0; i < CAPACITY; i++)
        index_lists_add(&lists, i % 2 ? &odd : &even, i);
    assert_holds(odd, 0xAA);
    assert_holds(even, 0x55);
    index_lists_remove(&lists, &odd, 5);
    index_lists_add(&lists, &even, 5);
    assert_holds(odd, 0x8A);
    assert_holds(even, 0x75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_added_last_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_of_three_is_whole_in_whatever_order_it_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lists_do_not_know_of_each_other, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
