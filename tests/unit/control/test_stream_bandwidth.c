// SPDX-License-Identifier: BSD-3-Clause
// Claims about what joined connections may carry. Time and the session log are fakes.
#include "control/stream_bandwidth.h"

#include "control/session_log.h"
#include "exchange/plane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HZ   1000000000ull
#define RATE 8000000 // bytes a second: an idle bucket holds 2 MB
#define FULL 2000000
// Of what workers share, the last is theirs.
#define PIECE (FULL / BANDWIDTH_PIECES)
#define USER  3

static uint64_t now_tsc;
static uint64_t passes_tsc; // between one look at the clock and the next
static struct plane plane;
static struct shared_bandwidth users[USER + 1];
static struct stream_bandwidth bandwidth;
static struct stream_account *account, *sibling, *stranger; // of one user; of user 0

uint64_t bandwidth_now_tsc(void)
{
    uint64_t now = now_tsc;

    now_tsc += passes_tsc;
    return now;
}

void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic)
{
    (void)log;
    (void)record;
    (void)traffic;
}

static void set_limits(uint64_t max_bps, uint64_t user_max_bps, uint64_t total_max_bps)
{
    const struct bandwidth_limits limits = {max_bps, user_max_bps, total_max_bps};

    bandwidth_limits_publish(&plane.stream_limits, &limits);
}

static int set_up(void **state)
{
    (void)state;
    now_tsc = 1000 * HZ;
    passes_tsc = 0;
    memset(&plane, 0, sizeof(plane));
    memset(users, 0, sizeof(users));
    plane.tsc_hz = HZ;
    plane.user_bandwidth = users;
    stream_bandwidth_init(&bandwidth, &plane);
    account = stream_account_create();
    sibling = stream_account_create();
    stranger = stream_account_create();
    stream_account_set_user(account, USER);
    stream_account_set_user(sibling, USER);
    return account && sibling && stranger ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    stream_account_give(account);
    stream_account_give(sibling);
    stream_account_give(stranger);
    return 0;
}

static size_t left(struct stream_account *of, enum direction direction)
{
    return stream_bandwidth_left(&bandwidth, of, direction);
}

static void spend_all(struct stream_account *of, enum direction direction)
{
    for (size_t len; (len = left(of, direction)) > 0;)
        stream_bandwidth_spend(&bandwidth, of, direction, len);
}

static void expect_empty_for(struct stream_account *of, size_t full)
{
    assert_int_equal(left(of, DIRECTION_TO_PEER), 0);
    assert_in_range(left(of, DIRECTION_TO_CLIENT), full - 10, full);
}

static void expect_full_for(struct stream_account *of, size_t full)
{
    assert_in_range(left(of, DIRECTION_TO_PEER), full - 10, full);
    assert_in_range(left(of, DIRECTION_TO_CLIENT), full - 10, full);
}

static void without_limits_any_number_of_bytes_goes(void **state)
{
    (void)state;
    stream_bandwidth_spend(&bandwidth, account, DIRECTION_TO_PEER, 1u << 31);
    assert_true(left(account, DIRECTION_TO_PEER) == SIZE_MAX);
    assert_int_equal(*stream_account_bucket(account, DIRECTION_TO_PEER), 0);
}

static void an_allocation_has_its_own_in_each_direction(void **state)
{
    (void)state;
    set_limits(RATE, 0, 0);
    expect_full_for(account, FULL);
    spend_all(account, DIRECTION_TO_PEER);
    expect_empty_for(account, FULL);
    expect_full_for(sibling, FULL);
}

static void a_users_allocations_share_the_users(void **state)
{
    (void)state;
    set_limits(0, RATE, 0);
    spend_all(account, DIRECTION_TO_PEER);
    expect_empty_for(account, FULL - PIECE);
    expect_empty_for(sibling, FULL - PIECE);
    expect_full_for(stranger, FULL - PIECE);
}

static void all_share_everybodys(void **state)
{
    (void)state;
    set_limits(0, 0, RATE);
    spend_all(account, DIRECTION_TO_PEER);
    expect_empty_for(sibling, FULL - PIECE);
    expect_empty_for(stranger, FULL - PIECE);
}

// Two threads between a look and a read do not have the same bytes.
static void what_is_taken_nobody_else_has_until_it_is_given_back(void **state)
{
    size_t taken;

    (void)state;
    set_limits(RATE, RATE, RATE);
    spend_all(account, DIRECTION_TO_PEER);
    now_tsc += HZ / 1000;
    taken = stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_PEER);
    assert_in_range(taken, 7990, 8010);
    assert_int_equal(stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_PEER), 0);
    assert_int_equal(stream_bandwidth_take(&bandwidth, stranger, DIRECTION_TO_PEER), 0);
    stream_bandwidth_give(&bandwidth, account, DIRECTION_TO_PEER, taken - 1000);
    assert_in_range(left(account, DIRECTION_TO_PEER), taken - 1002, taken - 998);
    assert_in_range(left(sibling, DIRECTION_TO_PEER), taken - 1002, taken - 998);
    assert_in_range(left(stranger, DIRECTION_TO_PEER), taken - 1002, taken - 998);
}

// As when another thread has spent the user's meanwhile: at the second look there is less of it.
static void what_one_level_refuses_the_others_have_back(void **state)
{
    uint64_t total;

    (void)state;
    set_limits(0, RATE, 2 * RATE);
    spend_all(account, DIRECTION_TO_PEER);
    total = plane.total_bandwidth.full_tsc[DIRECTION_TO_PEER];
    now_tsc += HZ / 1000;
    passes_tsc = -(uint64_t)(HZ / 125); // the user's piece is not there, the total's is
    assert_int_equal(stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_PEER), 0);
    assert_int_equal(plane.total_bandwidth.full_tsc[DIRECTION_TO_PEER], total);
}

static void of_plenty_no_more_than_half_is_taken_and_no_more_than_a_read(void **state)
{
    (void)state;
    set_limits(0, 0, 400000); // 131072 bytes, of which 4096 are kept
    assert_in_range(stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_PEER), 63480, 63488);
    set_limits(0, 0, RATE);
    assert_int_equal(stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_CLIENT), 131072);
    set_limits(0, 0, 0);
    assert_true(stream_bandwidth_take(&bandwidth, account, DIRECTION_TO_PEER) == SIZE_MAX);
}

// The buckets are the very ones.
static void what_workers_take_is_not_there(void **state)
{
    const struct token_rate rate = bandwidth_rate(RATE, HZ);

    (void)state;
    set_limits(0, RATE, RATE);
    assert_true(token_bucket_take_shared(&users[USER].full_tsc[DIRECTION_TO_PEER], &rate, now_tsc,
                                         FULL - 100, 0));
    expect_empty_for(account, FULL - PIECE);
    expect_full_for(stranger, FULL - PIECE);
    stream_bandwidth_spend(&bandwidth, stranger, DIRECTION_TO_CLIENT, FULL);
    assert_false(token_bucket_take_shared(&plane.total_bandwidth.full_tsc[DIRECTION_TO_CLIENT],
                                          &rate, now_tsc, 1000, 0));
    assert_false(
        token_bucket_take_shared(&users[0].full_tsc[DIRECTION_TO_CLIENT], &rate, now_tsc, 1000, 0));
}

static void the_least_that_any_level_has_counts(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 3; level++) {
        set_limits(level == 0 ? RATE : 10 * RATE, level == 1 ? RATE : 10 * RATE,
                   level == 2 ? RATE : 10 * RATE);
        size_t full = level == 0 ? FULL : FULL - PIECE;
        assert_in_range(left(account, DIRECTION_TO_CLIENT), full - 10, full);
    }
}

static void what_is_spent_comes_back_with_time(void **state)
{
    uint64_t carried = 0;

    (void)state;
    set_limits(RATE, 0, 0);
    spend_all(account, DIRECTION_TO_PEER);
    for (unsigned i = 0; i < 300; i++) {
        size_t len;

        now_tsc += HZ / 100;
        len = left(account, DIRECTION_TO_PEER);
        stream_bandwidth_spend(&bandwidth, account, DIRECTION_TO_PEER, len);
        carried += len;
    }
    assert_in_range(carried, 3 * RATE - 1000, 3 * RATE);
}

static void a_few_bytes_are_not_worth_a_read_unless_no_more_come(void **state)
{
    (void)state;
    set_limits(0, 1000000, 0);
    spend_all(account, DIRECTION_TO_PEER);
    now_tsc += HZ / 5000; // 200 bytes, and what was left
    stream_bandwidth_spend(&bandwidth, account, DIRECTION_TO_PEER, 200);
    assert_int_equal(left(account, DIRECTION_TO_PEER), 0);
    now_tsc += HZ / 1000;
    assert_in_range(left(account, DIRECTION_TO_PEER), 256, 1300);
    set_limits(0, 50, 0);
    assert_int_equal(bandwidth.limits.user_max_bps, 1000000);
    spend_all(account, DIRECTION_TO_PEER);
    now_tsc += HZ / 5;
    assert_in_range(left(account, DIRECTION_TO_PEER), 5, 15);
    set_limits(1, 0, 0);
    spend_all(stranger, DIRECTION_TO_PEER);
    now_tsc += 2 * HZ;
    assert_in_range(left(stranger, DIRECTION_TO_PEER), 1, 2);
}

static void new_limits_count_at_once(void **state)
{
    (void)state;
    set_limits(1000, 0, 0);
    spend_all(account, DIRECTION_TO_PEER);
    set_limits(RATE, 0, 0);
    assert_int_equal(left(account, DIRECTION_TO_PEER), 0);
    now_tsc += HZ / 1000;
    assert_in_range(left(account, DIRECTION_TO_PEER), 7990, 8010);
    set_limits(0, 0, 0);
    assert_true(left(account, DIRECTION_TO_PEER) == SIZE_MAX);
    set_limits(0, 0, 1000);
    assert_in_range(left(account, DIRECTION_TO_PEER), 131000 - 4096, 131072 - 4096);
}

// A plane has lines for users where a start had a limit for them.
static void where_nobody_counts_only_everybodys_limit_holds(void **state)
{
    (void)state;
    plane.user_bandwidth = NULL;
    set_limits(0, RATE, 0);
    stream_bandwidth_spend(&bandwidth, account, DIRECTION_TO_PEER, FULL);
    assert_true(left(account, DIRECTION_TO_PEER) == SIZE_MAX);
    set_limits(RATE, RATE, 2 * RATE);
    stream_bandwidth_spend(&bandwidth, NULL, DIRECTION_TO_PEER, FULL);
    assert_in_range(left(NULL, DIRECTION_TO_PEER), FULL - 2 * PIECE - 10, FULL - 2 * PIECE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_limits_any_number_of_bytes_goes),
        TEST(an_allocation_has_its_own_in_each_direction),
        TEST(a_users_allocations_share_the_users),
        TEST(all_share_everybodys),
        TEST(what_is_taken_nobody_else_has_until_it_is_given_back),
        TEST(what_one_level_refuses_the_others_have_back),
        TEST(of_plenty_no_more_than_half_is_taken_and_no_more_than_a_read),
        TEST(what_workers_take_is_not_there),
        TEST(the_least_that_any_level_has_counts),
        TEST(what_is_spent_comes_back_with_time),
        TEST(a_few_bytes_are_not_worth_a_read_unless_no_more_come),
        TEST(new_limits_count_at_once),
        TEST(where_nobody_counts_only_everybodys_limit_holds),
    };

    return cmocka_run_group_tests_name("control/stream_bandwidth", tests, NULL, NULL);
}
