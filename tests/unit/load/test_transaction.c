// SPDX-License-Identifier: BSD-3-Clause
// bench/load/transaction.h.
#include "transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HZ 1000

static struct transactions transactions;

static int start(void **state)
{
    (void)state;
    return transactions_init(&transactions, 4, HZ, 1);
}

static int end(void **state)
{
    (void)state;
    transactions_done(&transactions);
    return 0;
}

static enum transaction_due due_at(uint64_t now)
{
    struct transaction *transaction;
    uint32_t cursor = 0;
    return transactions_due(&transactions, now, &cursor, &transaction);
}

static void is_found_by_its_id_while_it_is_open(void **state)
{
    (void)state;
    struct transaction *first = transactions_open(&transactions);
    struct transaction *second = transactions_open(&transactions);
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    memcpy(id, second->id, sizeof(id));
    assert_ptr_equal(transactions_match(&transactions, first->id), first);
    assert_ptr_equal(transactions_match(&transactions, id), second);
    transactions_close(&transactions, second);
    assert_null(transactions_match(&transactions, id));
    transactions_open(&transactions);
    assert_null(transactions_match(&transactions, id));
}

static void a_foreign_id_matches_nothing(void **state)
{
    (void)state;
    struct transaction *transaction = transactions_open(&transactions);
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    for (unsigned i = 0; i < sizeof(id); i++) {
        memcpy(id, transaction->id, sizeof(id));
        id[i] ^= 0x80;
        assert_null(transactions_match(&transactions, id));
    }
}

static void a_full_window_opens_no_more(void **state)
{
    (void)state;
    struct transaction *last = NULL;
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(last = transactions_open(&transactions));
    assert_null(transactions_open(&transactions));
    assert_int_equal(transactions_open_count(&transactions), 4);
    transactions_close(&transactions, last);
    assert_non_null(transactions_open(&transactions));
}

// RFC 8489 section 6.2.1 has this very row.
static void is_sent_seven_times_at_growing_distances_and_then_given_up(void **state)
{
    (void)state;
    const uint64_t times[] = {500, 1500, 3500, 7500, 15500, 31500};
    struct transaction *transaction = transactions_open(&transactions);
    transactions_sent(&transactions, transaction, 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(due_at(times[i] - 1), TRANSACTION_NONE);
        assert_int_equal(due_at(times[i]), TRANSACTION_RESEND);
        assert_int_equal(transaction->sends, i + 2);
    }
    assert_int_equal(due_at(39499), TRANSACTION_NONE);
    assert_int_equal(due_at(39500), TRANSACTION_EXPIRED);
    assert_int_equal(transaction->first_sent, 0);
}

static void a_new_request_starts_the_timers_anew(void **state)
{
    (void)state;
    struct transaction *transaction = transactions_open(&transactions);
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    memcpy(id, transaction->id, sizeof(id));
    transactions_sent(&transactions, transaction, 0);
    assert_int_equal(due_at(500), TRANSACTION_RESEND);
    transactions_renew(&transactions, transaction);
    transactions_sent(&transactions, transaction, 600);
    assert_memory_not_equal(transaction->id, id, sizeof(id));
    assert_int_equal(transaction->first_sent, 600);
    assert_int_equal(due_at(1099), TRANSACTION_NONE);
    assert_int_equal(due_at(1100), TRANSACTION_RESEND);
}

static void each_that_is_due_comes_once_in_a_walk(void **state)
{
    (void)state;
    struct transaction *transaction;
    uint32_t cursor = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++)
        transactions_sent(&transactions, transactions_open(&transactions), 0);
    while (transactions_due(&transactions, 600, &cursor, &transaction))
        count++;
    assert_int_equal(count, 3);
    assert_int_equal(due_at(600), TRANSACTION_NONE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(is_found_by_its_id_while_it_is_open),
        CASE(a_foreign_id_matches_nothing),
        CASE(a_full_window_opens_no_more),
        CASE(is_sent_seven_times_at_growing_distances_and_then_given_up),
        CASE(a_new_request_starts_the_timers_anew),
        CASE(each_that_is_due_comes_once_in_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
