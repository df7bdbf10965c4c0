// SPDX-License-Identifier: BSD-3-Clause
// Claims about what may stand behind a command.
#include "control/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const keys[] = {"session", "user", "limit", NULL};
static struct telemetry_answer answer;
static struct parameters parameters;

static bool parse(const char *text)
{
    telemetry_answer_reset(&answer);
    return parameters_parse(text, keys, &parameters, &answer);
}

static const char *entry_of(const char *name)
{
    struct telemetry_entry entry;
    size_t offset = 0;

    while (telemetry_answer_next(&answer, &offset, &entry)) {
        if (strcmp(entry.name, name) == 0)
            return entry.text;
    }
    return NULL;
}

static void finds_what_was_given(void **state)
{
    (void)state;
    assert_true(parse("user=alice,limit=5"));
    assert_string_equal(parameters_get(&parameters, "user"), "alice");
    assert_string_equal(parameters_get(&parameters, "limit"), "5");
    assert_null(parameters_get(&parameters, "session"));
    assert_true(parse(""));
    assert_null(parameters_get(&parameters, "user"));
}

static void a_value_without_a_key_is_the_first_keys(void **state)
{
    (void)state;
    assert_true(parse("42,user=a=b"));
    assert_string_equal(parameters_get(&parameters, "session"), "42");
    assert_string_equal(parameters_get(&parameters, "user"), "a=b");
}

static void values_may_hold_any_byte_but_nul(void **state)
{
    (void)state;
    assert_true(parse("user=%2c%3D%C3%a4%25"));
    assert_string_equal(parameters_get(&parameters, "user"), ",=\xc3\xa4%");
}

static void refuses_what_is_wrong_and_says_what_is_allowed(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"bob=1", "unknown parameter: bob"},
        {"user=a,user=b", "given twice: user"},
        {"a,session=b", "given twice: session"},
        {"user=", "empty, or %25 without two digits: user"},
        {"user=%", "empty, or %25 without two digits: user"},
        {"user=%4", "empty, or %25 without two digits: user"},
        {"user=%zz", "empty, or %25 without two digits: user"},
        {"user=%00", "empty, or %25 without two digits: user"},
        {"user=a,", "empty, or %25 without two digits: session"},
        {"=", "unknown parameter: "},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(parse(cases[i].text));
        assert_string_equal(entry_of("error"), cases[i].error);
        assert_string_equal(entry_of("allowed"), "session=, user=, limit=");
    }
}

static void refuses_anything_where_nothing_is_allowed(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    telemetry_answer_reset(&answer);
    assert_false(parameters_parse("x", none, &parameters, &answer));
    assert_string_equal(entry_of("allowed"), "nothing");
}

static void numbers_are_whole_and_in_range(void **state)
{
    static const char *const wrong[] = {"limit=0",  "limit=101",  "limit=x",
                                        "limit=5x", "limit=+5",   "limit=-1",
                                        "limit= 5", "limit=0x10", "limit=99999999999999999999999"};
    uint32_t number = 7;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(parse(wrong[i]));
        assert_false(parameters_number(&parameters, "limit", 1, 100, &number, &answer));
        assert_string_equal(entry_of("allowed"), "1 to 100");
        assert_int_equal(number, 7);
    }
    assert_true(parse(""));
    assert_true(parameters_number(&parameters, "limit", 1, 100, &number, &answer));
    assert_int_equal(number, 7);
    assert_true(parse("limit=100"));
    assert_true(parameters_number(&parameters, "limit", 1, 100, &number, &answer));
    assert_int_equal(number, 100);
}

static void sessions_are_16_hex_digits(void **state)
{
    uint64_t session = 1;

    (void)state;
    assert_true(parse("0000000A0000000b"));
    assert_true(parameters_session(&parameters, "session", &session, &answer));
    assert_int_equal(session, 0xa0000000bull);
    assert_true(parse("a0000000b"));
    assert_false(parameters_session(&parameters, "session", &session, &answer));
    assert_string_equal(entry_of("allowed"), "16 hex digits");
}

static void addresses_come_with_a_port_or_without(void **state)
{
    struct transport_address address = {};

    (void)state;
    assert_true(parse("192.0.2.1"));
    assert_true(parameters_address(&parameters, "session", &address, &answer));
    assert_int_equal(address.ip.family, IP_FAMILY_V4);
    assert_int_equal(address.port, 0);
    assert_true(parse("[2001:db8::1]:99"));
    assert_true(parameters_address(&parameters, "session", &address, &answer));
    assert_int_equal(address.ip.family, IP_FAMILY_V6);
    assert_int_equal(address.port, 99);
    assert_true(parse("example.org"));
    assert_false(parameters_address(&parameters, "session", &address, &answer));
    assert_string_equal(entry_of("error"), "session: not an address: example.org");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_given),
        cmocka_unit_test(a_value_without_a_key_is_the_first_keys),
        cmocka_unit_test(values_may_hold_any_byte_but_nul),
        cmocka_unit_test(refuses_what_is_wrong_and_says_what_is_allowed),
        cmocka_unit_test(refuses_anything_where_nothing_is_allowed),
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(sessions_are_16_hex_digits),
        cmocka_unit_test(addresses_come_with_a_port_or_without),
    };

    return cmocka_run_group_tests_name("control/parameters", tests, NULL, NULL);
}
