// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is known of a TCP allocation at its end. The session log is a fake.
#include "control/stream_account.h"

#include "control/session_log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  10000

static struct {
    unsigned count;
    struct session_log *log;
    struct session_record *record;
    struct session_log_tcp_traffic traffic;
} told;

static char a_log, a_record; // places, to be told apart
#define LOG    ((struct session_log *)&a_log)
#define RECORD ((struct session_record *)&a_record)

void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic)
{
    told.count++;
    told.log = log;
    told.record = record;
    told.traffic = *traffic;
}

static int set_up(void **state)
{
    (void)state;
    told.count = 0;
    return 0;
}

static void expect_told(uint64_t connections, uint64_t to_peer_bytes, uint64_t to_client_bytes)
{
    assert_int_equal(told.count, 1);
    assert_ptr_equal(told.log, LOG);
    assert_ptr_equal(told.record, RECORD);
    assert_true(told.traffic.connections == connections);
    assert_true(told.traffic.to_peer_bytes == to_peer_bytes);
    assert_true(told.traffic.to_client_bytes == to_client_bytes);
}

static void carry(struct stream_account *account, uint64_t to_peer_bytes, uint64_t to_client_bytes)
{
    stream_account_add_connection(account);
    stream_account_add_bytes(account, DIRECTION_TO_PEER, to_peer_bytes);
    stream_account_add_bytes(account, DIRECTION_TO_CLIENT, to_client_bytes);
}

static void the_end_is_told_once_and_with_all_that_was_carried(void **state)
{
    struct stream_account *account = stream_account_create();

    (void)state;
    assert_ptr_equal(stream_account_share(account), account);
    assert_ptr_equal(stream_account_share(account), account);
    carry(account, 1000, 20);
    stream_account_give(account);
    stream_account_end(account, LOG, RECORD);
    stream_account_give(account); // who listened is gone, and a connection still carries
    assert_int_equal(told.count, 0);
    carry(account, 1, 5000000000);
    stream_account_give(account);
    expect_told(2, 1001, 5000000020);
}

static void what_was_carried_so_far_can_be_asked_for(void **state)
{
    struct stream_account *account = stream_account_create();
    struct session_log_tcp_traffic traffic;

    (void)state;
    carry(account, 1000, 20);
    carry(account, 1, 5000000000);
    stream_account_carried(account, &traffic);
    assert_true(traffic.connections == 2);
    assert_true(traffic.to_peer_bytes == 1001);
    assert_true(traffic.to_client_bytes == 5000000020);
    stream_account_give(account);
}

static void one_without_connections_has_carried_nothing(void **state)
{
    struct stream_account *account = stream_account_create();

    (void)state;
    stream_account_end(account, LOG, RECORD);
    stream_account_give(account);
    expect_told(0, 0, 0);
}

// When the relay stops, say.
static void nobody_is_told_of_one_that_has_not_ended(void **state)
{
    (void)state;
    stream_account_give(stream_account_create());
    assert_int_equal(told.count, 0);
}

static void nobody_counts_where_there_was_no_memory(void **state)
{
    struct session_log_tcp_traffic traffic = {1, 2, 3};

    (void)state;
    assert_null(stream_account_share(NULL));
    carry(NULL, 1, 2);
    stream_account_carried(NULL, &traffic);
    assert_true(traffic.connections + traffic.to_peer_bytes + traffic.to_client_bytes == 0);
    stream_account_give(NULL);
    assert_int_equal(told.count, 0);
}

static void it_has_a_user_and_a_bucket_for_each_direction(void **state)
{
    struct stream_account *account = stream_account_create();
    uint64_t *to_peer = stream_account_bucket(account, DIRECTION_TO_PEER);

    (void)state;
    *to_peer = 7;
    assert_int_equal(stream_account_user(account), 0);
    stream_account_set_user(account, 5);
    assert_int_equal(stream_account_user(account), 5);
    assert_int_equal(*stream_account_bucket(account, DIRECTION_TO_CLIENT), 0);
    assert_ptr_equal(stream_account_bucket(stream_account_share(account), DIRECTION_TO_PEER),
                     to_peer);
    stream_account_give(account);
    stream_account_give(account);
    stream_account_set_user(NULL, 5);
    assert_int_equal(stream_account_user(NULL), 0);
    assert_null(stream_account_bucket(NULL, DIRECTION_TO_PEER));
}

static void *carry_on(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct stream_account *account = stream_account_share(context);

        carry(account, 1, 2);
        stream_account_give(account);
    }
    return NULL;
}

static void threads_count_at_the_same_time(void **state)
{
    struct stream_account *account = stream_account_create();
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, carry_on, account), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(told.count, 0);
    stream_account_end(account, LOG, RECORD);
    stream_account_give(account);
    expect_told(THREADS * ROUNDS, THREADS * ROUNDS, 2 * THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_end_is_told_once_and_with_all_that_was_carried, set_up),
        cmocka_unit_test_setup(what_was_carried_so_far_can_be_asked_for, set_up),
        cmocka_unit_test_setup(one_without_connections_has_carried_nothing, set_up),
        cmocka_unit_test_setup(nobody_is_told_of_one_that_has_not_ended, set_up),
        cmocka_unit_test_setup(nobody_counts_where_there_was_no_memory, set_up),
        cmocka_unit_test_setup(it_has_a_user_and_a_bucket_for_each_direction, set_up),
        cmocka_unit_test_setup(threads_count_at_the_same_time, set_up),
    };

    return cmocka_run_group_tests_name("control/stream_account", tests, NULL, NULL);
}
