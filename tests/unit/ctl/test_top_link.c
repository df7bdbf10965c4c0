// SPDX-License-Identifier: BSD-3-Clause
// Claims about top's questions, with a clock of the test's own.
#include "ctl/top_link.h"

#include "relay_fixture.h"
#include "support.h"

#include <poll.h>

static const struct fake_answer answers[] = {
    {"/turnpike/status", "{\"/turnpike/status\": {\"pid\": 7}}", 0},
    {"/turnpike/workers", "{\"/turnpike/workers\": {\"workers\": {\"0\": {\"cpu\": 2}}}}", 0},
    {"/turnpike/drops", "{\"/turnpike/drops\": {\"drops\": {\"not_ours\": 1}}}", 0},
    {"/turnpike/top", "{\"/turnpike/top\": {\"allocations\": {\"0001\": {}}}}", 0},
};

static struct top_sample sample;
static struct problem problem;

static void await_input(const struct top_link *link)
{
    struct pollfd entry = {.fd = top_link_descriptor(link), .events = POLLIN};

    assert_true(entry.fd >= 0);
    assert_int_equal(poll(&entry, 1, 20000), 1);
}

// Until a round ends, or something is wrong.
static bool advance_a_round(struct top_link *link, uint64_t now_ms)
{
    for (unsigned i = 0; i < 10; i++) {
        await_input(link);
        if (top_link_advance(link, now_ms, 1000, &sample))
            return true;
        if (top_link_problem(link))
            return false;
    }
    return false;
}

static struct top_link *start(struct fake_relay *relay, const struct fake_answer *all, size_t count)
{
    struct top_link *link;

    *relay = (struct fake_relay){.greeting = FAKE_GREETING, .answers = all, .answer_count = count};
    fake_relay_start(relay);
    assert_int_equal(top_link_create(relay->path, &link, &problem), CTL_DONE);
    return link;
}

static void stop(struct fake_relay *relay, struct top_link *link)
{
    top_link_destroy(link);
    fake_relay_stop(relay);
}

static void asks_for_all_of_it_once_a_round(void **state)
{
    struct fake_relay relay;
    struct top_link *link = start(&relay, answers, COUNT_OF(answers));

    (void)state;
    assert_true(advance_a_round(link, 5000));
    assert_null(top_link_problem(link));
    assert_int_equal(sample.status.pid, 7);
    assert_int_equal(sample.worker_count, 1);
    assert_int_equal(sample.drop_count, 1);
    assert_int_equal(sample.allocation_count, 1);
    assert_int_equal(sample.workers_ms, 5000);
    assert_int_equal(atomic_load(&relay.asked_count), 4);
    assert_string_equal(relay.asked[3], "/turnpike/top,limit=40");
    // The round is told once, and the next begins when it is time.
    assert_int_equal(top_link_next_ms(link, 1000), 6000);
    assert_false(top_link_advance(link, 5999, 1000, &sample));
    assert_false(top_link_advance(link, 6000, 1000, &sample));
    assert_true(advance_a_round(link, 6000));
    assert_int_equal(sample.workers_ms, 6000);
    stop(&relay, link);
}

static void says_that_there_is_no_relay_to_begin_with(void **state)
{
    struct top_link *link;

    (void)state;
    assert_int_equal(top_link_create("/nonexistent/socket", &link, &problem), CTL_UNREACHABLE);
    assert_non_null(strstr(problem.text, "is the relay running?"));
}

static void comes_back_when_the_relay_does(void **state)
{
    static const struct fake_answer hang_up[] = {{"/turnpike/status", NULL, 0}};
    struct fake_relay relay;
    struct top_link *link = start(&relay, hang_up, 1);

    (void)state;
    assert_false(advance_a_round(link, 5000));
    assert_string_equal(top_link_problem(link), "the relay has gone away");
    assert_int_equal(top_link_descriptor(link), -1);
    // Not at once, and not for ever later.
    assert_int_equal(top_link_next_ms(link, 1000), 1000);
    relay.answers = answers;
    relay.answer_count = COUNT_OF(answers);
    assert_false(top_link_advance(link, 5100, 1000, &sample));
    assert_null(top_link_problem(link));
    assert_true(advance_a_round(link, 5100));
    stop(&relay, link);
}

static void waits_a_second_before_it_tries_again(void **state)
{
    struct fake_relay relay;
    struct top_link *link = start(&relay, answers, COUNT_OF(answers));

    (void)state;
    fake_relay_stop(&relay);
    assert_false(top_link_advance(link, 100, 1000, &sample));
    while (top_link_descriptor(link) >= 0)
        top_link_advance(link, 100, 1000, &sample);
    assert_false(top_link_advance(link, 1100, 1000, &sample));
    assert_non_null(strstr(top_link_problem(link), "no such socket"));
    assert_int_equal(top_link_next_ms(link, 1000), 2100);
    top_link_destroy(link);
}

static void says_that_there_is_silence_and_waits_on(void **state)
{
    static const struct fake_answer silent[] = {{"/turnpike/status", "", 0}};
    struct fake_relay relay;
    struct top_link *link = start(&relay, silent, 1);

    (void)state;
    await_input(link);
    assert_false(top_link_advance(link, 5000, 1000, &sample));
    assert_int_equal(top_link_next_ms(link, 1000), 7000);
    assert_false(top_link_advance(link, 6999, 1000, &sample));
    assert_null(top_link_problem(link));
    assert_false(top_link_advance(link, 7000, 1000, &sample));
    assert_string_equal(top_link_problem(link), "the relay does not answer");
    assert_true(top_link_descriptor(link) >= 0);
    stop(&relay, link);
}

static void goes_on_without_what_a_relay_refuses(void **state)
{
    const struct fake_answer older[] = {
        answers[0], answers[1], answers[2], {"/turnpike/top", "{\"/turnpike/top\": null}", 0}};
    struct fake_relay relay;
    struct top_link *link = start(&relay, older, COUNT_OF(older));

    (void)state;
    memset(&sample, 0, sizeof(sample));
    for (unsigned i = 0; i < 5; i++) {
        await_input(link);
        top_link_advance(link, 5000, 1000, &sample);
    }
    assert_int_equal(sample.status.pid, 7);
    assert_int_equal(sample.allocations_ms, 0);
    assert_non_null(strstr(top_link_problem(link), "does not know /turnpike/top"));
    stop(&relay, link);
}

static void hangs_up_on_garbage(void **state)
{
    static const struct fake_answer garbage[] = {{"/turnpike/status", "garbage", 0}};
    struct fake_relay relay;
    struct top_link *link = start(&relay, garbage, 1);

    (void)state;
    assert_false(advance_a_round(link, 5000));
    assert_non_null(strstr(top_link_problem(link), "is not JSON"));
    assert_int_equal(top_link_descriptor(link), -1);
    stop(&relay, link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_all_of_it_once_a_round),
        cmocka_unit_test(says_that_there_is_no_relay_to_begin_with),
        cmocka_unit_test(comes_back_when_the_relay_does),
        cmocka_unit_test(waits_a_second_before_it_tries_again),
        cmocka_unit_test(says_that_there_is_silence_and_waits_on),
        cmocka_unit_test(goes_on_without_what_a_relay_refuses),
        cmocka_unit_test(hangs_up_on_garbage),
    };

    return cmocka_run_group_tests_name("ctl/top_link", tests, NULL, NULL);
}
