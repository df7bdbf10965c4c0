// SPDX-License-Identifier: BSD-3-Clause
// Claims about questions as they go out.
#include "ctl/question.h"

#include "support.h"

#include <errno.h>

static void joins_parameters_by_commas(void **state)
{
    struct question question;

    (void)state;
    question_init(&question, "/turnpike/allocations");
    assert_string_equal(question.text, "/turnpike/allocations");
    assert_int_equal(question_add(&question, "user", "alice"), 0);
    assert_int_equal(question_add_number(&question, "limit", 20), 0);
    assert_int_equal(question_add(&question, NULL, "00000001"), 0);
    assert_string_equal(question.text, "/turnpike/allocations,user=alice,limit=20,00000001");
    assert_int_equal(question.len, strlen(question.text));
    assert_int_equal(question.command_len, strlen("/turnpike/allocations"));
}

static void writes_otherwise_what_would_end_a_parameter(void **state)
{
    struct question question;

    (void)state;
    question_init(&question, "/q");
    assert_int_equal(question_add(&question, "user", "a,b%c=d é\n"), 0);
    assert_string_equal(question.text, "/q,user=a%2Cb%25c=d%20%C3%A9%0A");
}

static void refuses_nothing_and_too_much(void **state)
{
    struct question question;
    char large[QUESTION_LEN_MAX + 1];

    (void)state;
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    question_init(&question, "/q");
    assert_int_equal(question_add(&question, "user", ""), -EINVAL);
    assert_int_equal(question_add(&question, "user", large), -E2BIG);
    assert_string_equal(question.text, "/q");
    assert_int_equal(question.len, 2);
    large[QUESTION_LEN_MAX - strlen("/q,user=")] = '\0';
    assert_int_equal(question_add(&question, "user", large), 0);
    assert_int_equal(question.len, QUESTION_LEN_MAX);
    assert_int_equal(question_add(&question, NULL, "x"), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_parameters_by_commas),
        cmocka_unit_test(writes_otherwise_what_would_end_a_parameter),
        cmocka_unit_test(refuses_nothing_and_too_much),
    };

    return cmocka_run_group_tests_name("ctl/question", tests, NULL, NULL);
}
