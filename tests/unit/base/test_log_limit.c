// SPDX-License-Identifier: BSD-3-Clause
// base/log_limit.h.
#include "base/log_limit.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

static void each_kind_has_so_many_a_second(void **state)
{
    struct log_limit limit = LOG_LIMIT_INITIALIZER;

    (void)state;
    log_limit_set(&limit, 2);
    for (uint64_t second = 100; second < 103; second++) {
        assert_true(log_limit_allows(&limit, "a", second));
        assert_true(log_limit_allows(&limit, "a", second));
        assert_false(log_limit_allows(&limit, "a", second));
        assert_true(log_limit_allows(&limit, "b", second));
    }
    assert_int_equal(log_limit_suppressed(&limit), 3);
}

static void zero_is_no_limit(void **state)
{
    struct log_limit limit = LOG_LIMIT_INITIALIZER;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        assert_true(log_limit_allows(&limit, "a", 1));
    assert_int_equal(log_limit_suppressed(&limit), 0);
}

static void what_was_suppressed_is_told_once_by_kind(void **state)
{
    struct log_limit limit = LOG_LIMIT_INITIALIZER;
    char event[LOG_LIMIT_KIND_LEN];
    uint64_t count;

    (void)state;
    log_limit_set(&limit, 1);
    for (unsigned i = 0; i < 5; i++) {
        (void)log_limit_allows(&limit, "a", 1);
        if (i < 3)
            (void)log_limit_allows(&limit, "b", 1);
        if (i < 1)
            (void)log_limit_allows(&limit, "c", 1);
    }
    assert_true(log_limit_take_suppressed(&limit, event, &count));
    assert_string_equal(event, "a");
    assert_int_equal(count, 4);
    assert_true(log_limit_take_suppressed(&limit, event, &count));
    assert_string_equal(event, "b");
    assert_int_equal(count, 2);
    assert_false(log_limit_take_suppressed(&limit, event, &count));
    assert_int_equal(log_limit_suppressed(&limit), 6);
}

static void kinds_beyond_the_last_share_its_place(void **state)
{
    struct log_limit limit = LOG_LIMIT_INITIALIZER;
    char event[64];
    unsigned allowed = 0;

    (void)state;
    log_limit_set(&limit, 1);
    for (unsigned i = 0; i < 2 * LOG_LIMIT_KINDS_MAX; i++) {
        snprintf(event, sizeof(event), "event_%u", i);
        allowed += log_limit_allows(&limit, event, 1);
    }
    assert_int_equal(allowed, LOG_LIMIT_KINDS_MAX);
    memset(event, 'x', sizeof(event) - 1);
    event[sizeof(event) - 1] = '\0';
    assert_false(log_limit_allows(&limit, event, 1));
    assert_int_equal(limit.kind_count, LOG_LIMIT_KINDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_so_many_a_second),
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(what_was_suppressed_is_told_once_by_kind),
        cmocka_unit_test(kinds_beyond_the_last_share_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
