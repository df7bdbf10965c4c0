// SPDX-License-Identifier: BSD-3-Clause
// Claims about bandwidth that threads share.
#include "exchange/bandwidth.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HZ      1000000000ull
#define THREADS 4
#define ROUNDS  100000

static void an_idle_bucket_holds_a_quarter_of_a_second_or_a_datagram_and_more(void **state)
{
    const struct token_rate rate = bandwidth_rate(8000000, HZ);
    const struct token_rate slow = bandwidth_rate(1000, HZ);
    uint64_t full_tsc = 0;

    (void)state;
    assert_in_range(token_bucket_left_shared(&full_tsc, &rate, HZ), 1999990, 2000000);
    assert_in_range(token_bucket_left_shared(&full_tsc, &slow, HZ), 131000, 131072);
    assert_int_equal(full_tsc, 0);
}

static void without_a_limit_there_is_no_end_and_nothing_is_written_down(void **state)
{
    const struct token_rate rate = bandwidth_rate(0, HZ);
    uint64_t full_tsc = 0;

    (void)state;
    assert_true(token_bucket_left_shared(&full_tsc, &rate, HZ) == UINT64_MAX);
    token_bucket_spend_shared(&full_tsc, &rate, HZ, 1000);
    assert_int_equal(full_tsc, 0);
}

static void what_is_spent_is_gone_until_its_time_has_passed(void **state)
{
    const struct token_rate rate = bandwidth_rate(8000000, HZ); // 8 bytes a microsecond
    uint64_t full_tsc = 0, now_tsc = 5 * HZ;

    (void)state;
    token_bucket_spend_shared(&full_tsc, &rate, now_tsc, 1500000);
    assert_in_range(token_bucket_left_shared(&full_tsc, &rate, now_tsc), 499990, 500000);
    assert_in_range(token_bucket_left_shared(&full_tsc, &rate, now_tsc + 1000000), 507990, 508000);
    assert_in_range(token_bucket_left_shared(&full_tsc, &rate, now_tsc + HZ), 1999990, 2000000);
}

// Two that look at the same moment.
static void more_can_be_spent_than_is_left_and_then_there_is_nothing(void **state)
{
    const struct token_rate rate = bandwidth_rate(8000000, HZ);
    uint64_t full_tsc = 0, now_tsc = 5 * HZ;

    (void)state;
    token_bucket_spend_shared(&full_tsc, &rate, now_tsc, 2000000);
    token_bucket_spend_shared(&full_tsc, &rate, now_tsc, 100000);
    assert_int_equal(token_bucket_left_shared(&full_tsc, &rate, now_tsc), 0);
    assert_false(token_bucket_take_shared(&full_tsc, &rate, now_tsc, 1, 0));
}

static void a_bucket_is_no_emptier_than_empty_once_the_rate_has_risen(void **state)
{
    const struct token_rate slow = bandwidth_rate(1000, HZ), rate = bandwidth_rate(8000000, HZ);
    uint64_t full_tsc = 0, now_tsc = 5 * HZ;

    (void)state;
    token_bucket_spend_shared(&full_tsc, &slow, now_tsc, 131072);
    assert_true(full_tsc > now_tsc + HZ);
    assert_int_equal(token_bucket_left_shared(&full_tsc, &rate, now_tsc), 0);
    assert_in_range(token_bucket_left_shared(&full_tsc, &rate, now_tsc + 1000000), 7990, 8000);
}

static void *spend(void *bucket)
{
    const struct token_rate rate = bandwidth_rate(8000000000, HZ); // 8 bytes a cycle

    for (unsigned i = 0; i < ROUNDS; i++)
        token_bucket_spend_shared(bucket, &rate, HZ, 8);
    return NULL;
}

static void what_many_threads_spend_is_all_gone(void **state)
{
    uint64_t full_tsc = 0;
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend, &full_tsc), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(full_tsc == HZ + THREADS * ROUNDS);
}

static void another_user_begins_with_full_buckets_and_the_same_one_does_not(void **state)
{
    struct shared_bandwidth user = {.full_tsc = {7, 8}, .dropped_packets = 9, .user_tag = 1};

    (void)state;
    shared_bandwidth_begin(&user, 1);
    assert_int_equal(user.full_tsc[DIRECTION_TO_PEER], 7);
    assert_int_equal(user.full_tsc[DIRECTION_TO_CLIENT], 8);
    assert_int_equal(user.dropped_packets, 9);
    shared_bandwidth_begin(&user, 2);
    assert_int_equal(user.user_tag, 2);
    assert_int_equal(user.full_tsc[DIRECTION_TO_PEER], 0);
    assert_int_equal(user.full_tsc[DIRECTION_TO_CLIENT], 0);
    assert_int_equal(user.dropped_packets, 0);
}

static void limits_are_read_as_they_were_published(void **state)
{
    const struct bandwidth_limits limits = {1, 2, 1000000000000};
    struct bandwidth_limits published = {}, read;

    (void)state;
    bandwidth_limits_publish(&published, &limits);
    read = bandwidth_limits_read(&published);
    assert_memory_equal(&read, &limits, sizeof(limits));
}

static void time_goes_on(void **state)
{
    uint64_t before = bandwidth_now_tsc();

    (void)state;
    while (bandwidth_now_tsc() == before)
        ;
    assert_true(bandwidth_now_tsc() > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_bucket_holds_a_quarter_of_a_second_or_a_datagram_and_more),
        cmocka_unit_test(without_a_limit_there_is_no_end_and_nothing_is_written_down),
        cmocka_unit_test(what_is_spent_is_gone_until_its_time_has_passed),
        cmocka_unit_test(more_can_be_spent_than_is_left_and_then_there_is_nothing),
        cmocka_unit_test(a_bucket_is_no_emptier_than_empty_once_the_rate_has_risen),
        cmocka_unit_test(what_many_threads_spend_is_all_gone),
        cmocka_unit_test(another_user_begins_with_full_buckets_and_the_same_one_does_not),
        cmocka_unit_test(limits_are_read_as_they_were_published),
        cmocka_unit_test(time_goes_on),
    };

    return cmocka_run_group_tests_name("exchange/bandwidth", tests, NULL, NULL);
}
