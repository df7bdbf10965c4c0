// SPDX-License-Identifier: BSD-3-Clause
// Claims about answers, good and hostile ones.
#include "ctl/answer.h"

#include "support.h"

static struct question question;
static struct problem problem;

static enum ctl_status read_answer(const char *text, json_t **ret_body)
{
    return answer_read(text, strlen(text), &question, ret_body, &problem);
}

static json_t *body_of(const char *text)
{
    json_t *body = NULL;

    assert_int_equal(read_answer(text, &body), CTL_DONE);
    return body;
}

static int ask_for_status(void **state)
{
    (void)state;
    question_init(&question, "/turnpike/status");
    question_add(&question, "limit", "3");
    return 0;
}

static void gives_what_the_command_says(void **state)
{
    json_t *body = body_of("{\"/turnpike/status\": {\"pid\": 7, \"state\": \"running\"}}");
    uint64_t pid = 0;

    (void)state;
    assert_true(answer_number(body, "pid", &pid));
    assert_int_equal(pid, 7);
    assert_string_equal(answer_text(body, "state", "?"), "running");
    json_decref(body);
}

static void takes_no_number_that_is_none(void **state)
{
    json_t *body =
        body_of("{\"/turnpike/status\": {\"pid\": -7, \"state\": \"running\", \"r\": 1.5}}");
    uint64_t number = 5;

    (void)state;
    assert_false(answer_number(body, "pid", &number));
    assert_false(answer_number(body, "state", &number));
    assert_false(answer_number(body, "r", &number));
    assert_false(answer_number(body, "absent", &number));
    assert_int_equal(number, 5);
    assert_string_equal(answer_text(body, "pid", "otherwise"), "otherwise");
    json_decref(body);
}

static void puts_back_what_was_written_otherwise(void **state)
{
    json_t *body = body_of("{\"/turnpike/status\": {\"a\": {\"user\": \"%C3%A9%2C%25\"}, \"odd\": "
                           "\"%zz%4%00\", \"broken\": \"%FF\"}}");

    (void)state;
    assert_string_equal(answer_text(json_object_get(body, "a"), "user", ""), "é,%");
    assert_string_equal(answer_text(body, "odd", ""), "%zz%4%00");
    assert_string_equal(answer_text(body, "broken", ""), "%FF");
    json_decref(body);
}

static void repeats_the_relays_own_refusal(void **state)
{
    json_t *body = NULL;

    (void)state;
    assert_int_equal(read_answer("{\"/turnpike/status\": {\"error\": \"no such session\"}}", &body),
                     CTL_REFUSED);
    assert_string_equal(problem.text, "no such session");
    assert_int_equal(
        read_answer("{\"/turnpike/status\": {\"error\": \"unknown parameter: x\\u001b\", "
                    "\"allowed\": \"user=, limit=\"}}",
                    &body),
        CTL_REFUSED);
    assert_string_equal(problem.text, "unknown parameter: x\\x1b; allowed: user=, limit=");
    assert_int_equal(read_answer("{\"/turnpike/status\": null}", &body), CTL_REFUSED);
    assert_non_null(strstr(problem.text, "/turnpike/status;"));
    assert_null(body);
}

static void refuses_what_is_no_answer_to_the_question(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "{",
        "{\"/turnpike/status\": {\"pid\": 7",
        "{\"/turnpike/status\": {\"pid\": 7}} and more",
        "{\"/turnpike/workers\": {\"pid\": 7}}",
        "[1]",
        "{\"/turnpike/status\": 7}",
        "{\"/turnpike/status\": \"text\"}",
        "{\"/turnpike/status\": [{}]}",
        "{\"/turnpike/status\": {\"pid\": 99999999999999999999999}}",
        "{\"/turnpike/status\": {\"user\": \"\xff\xfe\"}}",
    };

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(wrong); i++) {
        json_t *body = NULL;

        problem.text[0] = '\0';
        assert_int_equal(read_answer(wrong[i], &body), CTL_GARBLED);
        assert_true(strlen(problem.text) > 10);
        assert_null(body);
    }
}

static void survives_what_is_nested_without_end(void **state)
{
    static char text[100000] = "{\"/turnpike/status\": ";
    json_t *body = NULL;

    (void)state;
    for (size_t len = strlen(text); len < sizeof(text) - 1; len++)
        text[len] = '[';
    assert_int_equal(read_answer(text, &body), CTL_GARBLED);
}

static void makes_rows_of_an_object_of_objects(void **state)
{
    json_t *body = body_of(
        "{\"/turnpike/status\": {\"workers\": {\"0\": {\"cpu\": 2}, \"1\": {\"worker\": 9}, "
        "\"0000000100000002\": {}}}}");
    json_t *rows = answer_rows(body, "workers", "worker");
    uint64_t number;

    (void)state;
    assert_int_equal(json_array_size(rows), 3);
    assert_true(answer_number(json_array_get(rows, 0), "worker", &number));
    assert_int_equal(number, 0);
    assert_true(answer_number(json_array_get(rows, 1), "worker", &number));
    assert_int_equal(number, 9);
    assert_string_equal(answer_text(json_array_get(rows, 2), "worker", ""), "0000000100000002");
    json_decref(rows);
    json_decref(body);
}

static void makes_rows_of_an_array_but_not_of_anything_else(void **state)
{
    json_t *body =
        body_of("{\"/turnpike/status\": {\"a\": [{\"x\": 1}], \"b\": [1], \"c\": 3, \"d\": "
                "{\"0\": 1}, \"e\": {}}}");
    json_t *rows = answer_rows(body, "a", "key");

    (void)state;
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
    assert_null(answer_rows(body, "b", "key"));
    assert_null(answer_rows(body, "c", "key"));
    assert_null(answer_rows(body, "d", "key"));
    assert_null(answer_rows(body, "absent", "key"));
    rows = answer_rows(body, "e", "key");
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_the_command_says),
        cmocka_unit_test(takes_no_number_that_is_none),
        cmocka_unit_test(puts_back_what_was_written_otherwise),
        cmocka_unit_test(repeats_the_relays_own_refusal),
        cmocka_unit_test(refuses_what_is_no_answer_to_the_question),
        cmocka_unit_test(survives_what_is_nested_without_end),
        cmocka_unit_test(makes_rows_of_an_object_of_objects),
        cmocka_unit_test(makes_rows_of_an_array_but_not_of_anything_else),
    };

    return cmocka_run_group_tests_name("ctl/answer", tests, ask_for_status, NULL);
}
