// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is known of a TCP allocation at its end. The log is a fake that writes down
// lines.
#include "control/stream_account.h"

#define LINES_LEVEL LOG_LEVEL_DEBUG
#include "log_lines.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS  10000

static int set_up(void **state)
{
    (void)state;
    *lines = '\0';
    return 0;
}

static void the_end_is_told_once_and_with_all_that_was_carried(void **state)
{
    struct stream_account *account = stream_account_create(7);

    (void)state;
    assert_ptr_equal(stream_account_share(account), account);
    assert_ptr_equal(stream_account_share(account), account);
    stream_account_add(account, 1000, 20);
    stream_account_give(account);
    stream_account_give(account); // who listened is gone, and a connection still carries
    assert_string_equal(lines, "");
    stream_account_add(account, 1, 5000000000);
    stream_account_give(account);
    assert_string_equal(lines, "allocation_ended id=7 tcp_connections=2 to_peer_bytes=1001 "
                               "to_client_bytes=5000000020\n");
}

static void one_without_connections_has_carried_nothing(void **state)
{
    (void)state;
    stream_account_give(stream_account_create(0));
    assert_string_equal(lines, "allocation_ended id=0 tcp_connections=0 to_peer_bytes=0 "
                               "to_client_bytes=0\n");
}

static void nobody_counts_where_there_was_no_memory(void **state)
{
    (void)state;
    assert_null(stream_account_share(NULL));
    stream_account_add(NULL, 1, 2);
    stream_account_give(NULL);
    assert_string_equal(lines, "");
}

static void *carry(void *context)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct stream_account *account = stream_account_share(context);

        stream_account_add(account, 1, 2);
        stream_account_give(account);
    }
    return NULL;
}

static void threads_count_at_the_same_time(void **state)
{
    struct stream_account *account = stream_account_create(1);
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, carry, account), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(lines, "");
    stream_account_give(account);
    assert_string_equal(lines, "allocation_ended id=1 tcp_connections=40000 to_peer_bytes=40000 "
                               "to_client_bytes=80000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_end_is_told_once_and_with_all_that_was_carried, set_up),
        cmocka_unit_test_setup(one_without_connections_has_carried_nothing, set_up),
        cmocka_unit_test_setup(nobody_counts_where_there_was_no_memory, set_up),
        cmocka_unit_test_setup(threads_count_at_the_same_time, set_up),
    };

    return cmocka_run_group_tests_name("control/stream_account", tests, NULL, NULL);
}
