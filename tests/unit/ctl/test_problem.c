// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is said when something goes wrong.
#include "ctl/problem.h"

#include "support.h"

static void says_what_and_with_which_status(void **state)
{
    struct problem problem;

    (void)state;
    assert_int_equal(problem_set(&problem, CTL_REFUSED, "%s: %d", "no session", 7), CTL_REFUSED);
    assert_int_equal(problem.status, CTL_REFUSED);
    assert_string_equal(problem.text, "no session: 7");
}

static void cuts_off_what_is_too_long(void **state)
{
    struct problem problem;

    (void)state;
    problem_set(&problem, CTL_GARBLED, "%01000d", 0);
    assert_int_equal(strlen(problem.text), PROBLEM_TEXT_LEN - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_and_with_which_status),
        cmocka_unit_test(cuts_off_what_is_too_long),
    };

    return cmocka_run_group_tests_name("ctl/problem", tests, NULL, NULL);
}
