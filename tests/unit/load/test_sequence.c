// SPDX-License-Identifier: BSD-3-Clause
// bench/load/sequence.h.
#include "sequence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static enum sequence_verdict last(struct sequence *sequence, const uint32_t *numbers,
                                  unsigned count)
{
    enum sequence_verdict verdict = SEQUENCE_NEXT;
    for (unsigned i = 0; i < count; i++)
        verdict = sequence_receive(sequence, numbers[i]);
    return verdict;
}

#define LAST(sequence, ...)                                                                        \
    last(sequence, (const uint32_t[]){__VA_ARGS__},                                                \
         sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void what_comes_in_order_is_next(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(sequence_receive(&sequence, i), SEQUENCE_NEXT);
    assert_int_equal(sequence.received, 100);
    assert_int_equal(sequence.reordered + sequence.duplicates, 0);
}

static void a_gap_is_no_disorder(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    assert_int_equal(LAST(&sequence, 0, 5, 500), SEQUENCE_NEXT);
    assert_int_equal(sequence.received, 3);
}

static void who_was_overtaken_is_reordered_and_counts_as_received(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    assert_int_equal(LAST(&sequence, 0, 2, 1), SEQUENCE_REORDERED);
    assert_int_equal(LAST(&sequence, 3, 34, 4), SEQUENCE_REORDERED);
    assert_int_equal(sequence.received, 6);
    assert_int_equal(sequence.reordered, 2);
}

static void what_comes_twice_is_a_duplicate_and_not_received_again(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    assert_int_equal(LAST(&sequence, 0, 0), SEQUENCE_DUPLICATE);
    assert_int_equal(LAST(&sequence, 1, 2, 0), SEQUENCE_DUPLICATE);
    assert_int_equal(LAST(&sequence, 31, 0), SEQUENCE_DUPLICATE);
    assert_int_equal(LAST(&sequence, 4, 4), SEQUENCE_DUPLICATE);
    assert_int_equal(sequence.received, 5);
    assert_int_equal(sequence.duplicates, 4);
}

static void the_first_may_come_late(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    assert_int_equal(LAST(&sequence, 1, 0), SEQUENCE_REORDERED);
    assert_int_equal(sequence.received, 2);
}

static void a_window_is_forgotten_after_a_jump(void **state)
{
    (void)state;
    struct sequence sequence = {0};
    assert_int_equal(LAST(&sequence, 0, 32, 1), SEQUENCE_REORDERED);
    assert_int_equal(LAST(&sequence, 64, 33), SEQUENCE_REORDERED);
}

static void numbers_may_wrap(void **state)
{
    (void)state;
    struct sequence sequence = {.next = UINT32_MAX, .window = 1};
    assert_int_equal(LAST(&sequence, UINT32_MAX), SEQUENCE_NEXT);
    assert_int_equal(LAST(&sequence, 0), SEQUENCE_NEXT);
    assert_int_equal(LAST(&sequence, UINT32_MAX), SEQUENCE_DUPLICATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_order_is_next),
        cmocka_unit_test(a_gap_is_no_disorder),
        cmocka_unit_test(who_was_overtaken_is_reordered_and_counts_as_received),
        cmocka_unit_test(what_comes_twice_is_a_duplicate_and_not_received_again),
        cmocka_unit_test(the_first_may_come_late),
        cmocka_unit_test(a_window_is_forgotten_after_a_jump),
        cmocka_unit_test(numbers_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
