// SPDX-License-Identifier: BSD-3-Clause
// bench/load/histogram.h.
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

// Too large for the stack.
static struct histogram histogram, other;

static int empty(void **state)
{
    (void)state;
    histogram = (struct histogram){0};
    other = (struct histogram){0};
    return 0;
}

static void small_values_are_kept_exactly(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= 100; value++)
        histogram_record(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_quantile(&histogram, 1), 100);
    assert_int_equal(histogram_quantile(&histogram, 0), 1);
    assert_int_equal(histogram.sum, 5050);
}

static void every_value_lies_in_its_bucket_and_a_64th_from_its_end(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        const uint64_t power = UINT64_C(1) << shift;
        const uint64_t values[] = {power - 1, power, power + power / 3, power | (power - 1)};
        for (unsigned i = 0; i < 4; i++) {
            unsigned bucket = histogram_bucket(values[i]);
            assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
            assert_true(histogram_bucket_end(bucket) >= values[i]);
            assert_true(histogram_bucket_end(bucket) - values[i] <= values[i] / 64);
            if (bucket > 0)
                assert_true(histogram_bucket_end(bucket - 1) < values[i]);
        }
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket_end(HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}

static void no_quantile_exceeds_what_was_recorded(void **state)
{
    (void)state;
    histogram_record(&histogram, 1000001);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 1000001);
    assert_int_equal(histogram_quantile(&histogram, 1), 1000001);
}

static void a_rare_large_value_shows_in_the_high_quantiles_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 999; i++)
        histogram_record(&histogram, 10);
    histogram_record(&histogram, 1 << 20);
    assert_int_equal(histogram_quantile(&histogram, 0.999), 10);
    assert_int_equal(histogram_quantile(&histogram, 0.9999), 1 << 20);
    assert_int_equal(histogram.max, 1 << 20);
}

static void an_empty_one_says_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

static void two_add_up(void **state)
{
    (void)state;
    histogram_record(&histogram, 1);
    histogram_record(&other, 3);
    histogram_record(&other, 5);
    histogram_add(&histogram, &other);
    assert_int_equal(histogram.count, 3);
    assert_int_equal(histogram.sum, 9);
    assert_int_equal(histogram.max, 5);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(small_values_are_kept_exactly, empty),
        cmocka_unit_test_setup(every_value_lies_in_its_bucket_and_a_64th_from_its_end, empty),
        cmocka_unit_test_setup(no_quantile_exceeds_what_was_recorded, empty),
        cmocka_unit_test_setup(a_rare_large_value_shows_in_the_high_quantiles_alone, empty),
        cmocka_unit_test_setup(an_empty_one_says_zero, empty),
        cmocka_unit_test_setup(two_add_up, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
