// SPDX-License-Identifier: BSD-3-Clause
// base/index_pool.h.
#include "base/index_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 5

static void gives_out_every_index_once_and_then_none(void **state)
{
    (void)state;
    struct index_pool pool;
    bool taken[CAPACITY] = {false};
    assert_int_equal(index_pool_init(&pool, CAPACITY), 0);
    for (unsigned i = 0; i < CAPACITY; i++) {
        uint32_t index = index_pool_take(&pool);
        assert_in_range(index, 0, CAPACITY - 1);
        assert_false(taken[index]);
        taken[index] = true;
    }
    assert_int_equal(index_pool_take(&pool), INDEX_NONE);
    assert_int_equal(index_pool_used(&pool), CAPACITY);
    index_pool_done(&pool);
}

static void says_beforehand_what_it_gives_out(void **state)
{
    (void)state;
    struct index_pool pool;
    assert_int_equal(index_pool_init(&pool, CAPACITY), 0);
    for (unsigned i = 0; i < CAPACITY; i++) {
        uint32_t next = index_pool_next(&pool);
        assert_int_equal(index_pool_take(&pool), next);
    }
    assert_int_equal(index_pool_next(&pool), INDEX_NONE);
    index_pool_give(&pool, 1);
    index_pool_give(&pool, 4);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t next = index_pool_next(&pool);
        assert_int_equal(index_pool_take(&pool), next);
    }
    assert_int_equal(index_pool_next(&pool), INDEX_NONE);
    index_pool_done(&pool);
}

static void gives_out_again_what_came_back(void **state)
{
    (void)state;
    struct index_pool pool;
    assert_int_equal(index_pool_init(&pool, CAPACITY), 0);
    for (unsigned i = 0; i < CAPACITY; i++)
        index_pool_take(&pool);
    index_pool_give(&pool, 3);
    index_pool_give(&pool, 0);
    assert_int_equal(index_pool_free(&pool), 2);
    assert_int_equal(index_pool_take(&pool), 0);
    assert_int_equal(index_pool_take(&pool), 3);
    assert_int_equal(index_pool_take(&pool), INDEX_NONE);
    index_pool_done(&pool);
}

static void a_pool_of_none_gives_none(void **state)
{
    (void)state;
    struct index_pool pool;
    assert_int_equal(index_pool_init(&pool, 0), 0);
    assert_int_equal(index_pool_take(&pool), INDEX_NONE);
    index_pool_done(&pool);
}

static void serves_from_words_in_the_callers_elements(void **state)
{
    (void)state;
    struct index_pool pool;
    struct {
        uint32_t first;
        uint32_t second;
    } elements[CAPACITY];
    memset(elements, 0xAB, sizeof(elements));
    index_pool_init_in(&pool, elements, sizeof(elements[0]), CAPACITY);
    for (unsigned i = 0; i < CAPACITY; i++)
        assert_int_equal(index_pool_take(&pool), i);
    assert_int_equal(index_pool_take(&pool), INDEX_NONE);
    for (unsigned i = 0; i < CAPACITY; i++) {
        assert_int_equal(elements[i].first, 0xABABABAB); // untouched while it is taken
        index_pool_give(&pool, i);
    }
    for (unsigned i = 0; i < CAPACITY; i++)
        assert_int_equal(elements[i].second, 0xABABABAB);
    for (unsigned i = CAPACITY; i-- > 0;) {
        assert_int_equal(index_pool_take(&pool), i);
        elements[i].first = 0xABABABAB;
    }
    assert_int_equal(index_pool_take(&pool), INDEX_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_out_every_index_once_and_then_none),
        cmocka_unit_test(says_beforehand_what_it_gives_out),
        cmocka_unit_test(gives_out_again_what_came_back),
        cmocka_unit_test(a_pool_of_none_gives_none),
        cmocka_unit_test(serves_from_words_in_the_callers_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
