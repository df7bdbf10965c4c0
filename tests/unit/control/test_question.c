// SPDX-License-Identifier: BSD-3-Clause
// Claims about how long a step lasts and how long a question may take.
#include "control/question.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t now_ms;
static unsigned looks;

uint64_t clock_monotonic_ms(void)
{
    looks++;
    return now_ms;
}

static void a_turn_is_over_with_its_millisecond(void **state)
{
    const struct question question = {.now_ms = 1000};
    unsigned round = 0;

    (void)state;
    now_ms = 1000;
    looks = 0;
    for (; round < 1000; round++)
        assert_false(question_turn_is_over(&question, round));
    assert_true(looks > 10 && looks < 100);
    now_ms = 1001;
    while (!question_turn_is_over(&question, round))
        round++;
    assert_true(round < 1100);
}

// So that each step goes on by something.
static void a_turn_is_never_over_before_it_began(void **state)
{
    const struct question question = {.now_ms = 1000};

    (void)state;
    now_ms = 5000;
    assert_false(question_turn_is_over(&question, 0));
}

static void patience_ends_before_the_asker_is_gone(void **state)
{
    const struct question early = {.asked_ms = 1000, .now_ms = 1500};
    const struct question late = {.asked_ms = 1000, .now_ms = 1900};

    (void)state;
    assert_false(question_is_late(&early));
    assert_true(question_is_late(&late));
    assert_true(QUESTION_PATIENCE_MS < TELEMETRY_TIMEOUT_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_over_with_its_millisecond),
        cmocka_unit_test(a_turn_is_never_over_before_it_began),
        cmocka_unit_test(patience_ends_before_the_asker_is_gone),
    };

    return cmocka_run_group_tests_name("control/question", tests, NULL, NULL);
}
