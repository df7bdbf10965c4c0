// SPDX-License-Identifier: BSD-3-Clause
// base/log_line.h; what it escapes, tests of base/log.h claim.
#include "base/log_line.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

static struct log_line line;
static const struct timespec wall_time = {.tv_sec = 1795248000, .tv_nsec = 7999999};

static const char *text(void)
{
    log_line_end(&line);
    line.text[line.len] = '\0';
    return line.text;
}

static void numbers_are_no_strings_in_json(void **state)
{
    (void)state;
    log_line_begin(&line, LOG_FORMAT_JSON, &wall_time, "info", "e");
    log_line_number(&line, "a", UINT64_MAX);
    log_line_tenths(&line, "b", 120);
    log_line_time(&line, "c", &wall_time);
    log_line_pair(&line, "d", "7");
    assert_string_equal(text(),
                        "{\"time\":\"2026-11-21T08:00:00.007Z\",\"level\":\"info\",\"event\":\"e\","
                        "\"a\":18446744073709551615,\"b\":12.0,"
                        "\"c\":\"2026-11-21T08:00:00.007Z\",\"d\":\"7\"}\n");
}

static void a_bare_line_begins_with_its_event(void **state)
{
    (void)state;
    log_line_begin_bare(&line, LOG_FORMAT_TEXT, "e");
    log_line_number(&line, "a", 1);
    assert_string_equal(text(), "e a=1\n");
    log_line_begin_bare(&line, LOG_FORMAT_JSON, "e");
    log_line_number(&line, "a", 1);
    assert_string_equal(text(), "{\"event\":\"e\",\"a\":1}\n");
}

static void a_zero_among_bytes_ends_nothing(void **state)
{
    (void)state;
    log_line_begin_bare(&line, LOG_FORMAT_TEXT, "e");
    log_line_bytes(&line, "a", "x\0y", 3);
    log_line_bytes(&line, "b", "\xe3\x83\xa9", 2); // the third is not its
    assert_string_equal(text(), "e a=\"x\\x00y\" b=\"\\xe3\\x83\"\n");
    log_line_begin_bare(&line, LOG_FORMAT_JSON, "e");
    log_line_bytes(&line, "a", "x\0y", 3);
    assert_string_equal(text(), "{\"event\":\"e\",\"a\":\"x\\u0000y\"}\n");
}

static void a_number_that_does_not_fit_is_left_out_whole(void **state)
{
    char filler[LOG_LINE_CAPACITY];

    (void)state;
    for (size_t len = sizeof(filler) - 60; len < sizeof(filler) - 1; len++) {
        const char *found;

        memset(filler, 'x', len);
        filler[len] = '\0';
        log_line_begin_bare(&line, LOG_FORMAT_JSON, "e");
        log_line_pair(&line, "filler", filler);
        log_line_number(&line, "number", 123456789);
        found = strstr(text(), "\"number\":");
        assert_string_equal(line.text + line.len - 2, "}\n");
        if (found)
            assert_string_equal(found, "\"number\":123456789}\n");
    }
}

// A field of the journal's native protocol, from at on; how long it is.
static size_t expect_field(size_t at, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    const uint8_t len[8] = {(uint8_t)value_len, (uint8_t)(value_len >> 8)};
    const char *field = line.fields + at;

    assert_true(at + name_len + 1 + 8 + value_len + 1 <= line.fields_len);
    assert_memory_equal(field, name, name_len);
    assert_int_equal(field[name_len], '\n');
    assert_memory_equal(field + name_len + 1, len, 8);
    assert_memory_equal(field + name_len + 9, value, value_len);
    assert_int_equal(field[name_len + 9 + value_len], '\n');
    return name_len + 1 + 8 + value_len + 1;
}

static void the_journal_gets_a_field_of_each_pair_as_it_is(void **state)
{
    size_t at = 0;

    (void)state;
    log_line_begin_journal(&line, LOG_FORMAT_TEXT, 4, "login_refused");
    log_line_pair(&line, "user", "a\nPRIORITY=0\n");
    log_line_number(&line, "to_peer_bytes", 7);
    (void)text();
    at += expect_field(at, "PRIORITY", "4");
    at += expect_field(at, "SYSLOG_IDENTIFIER", "turnpike");
    at += expect_field(at, "TURNPIKE_EVENT", "login_refused");
    at += expect_field(at, "TURNPIKE_USER", "a\nPRIORITY=0\n");
    at += expect_field(at, "TURNPIKE_TO_PEER_BYTES", "7");
    at += expect_field(at, "MESSAGE", "login_refused user=\"a\\nPRIORITY=0\\n\" to_peer_bytes=7");
    assert_int_equal(at, line.fields_len);
}

static void a_message_has_room_behind_however_many_fields(void **state)
{
    char filler[3000];

    (void)state;
    memset(filler, 'x', sizeof(filler));
    log_line_begin_journal(&line, LOG_FORMAT_TEXT, 6, "e");
    for (unsigned i = 0; i < 20; i++)
        log_line_bytes(&line, "a", filler, sizeof(filler));
    (void)text();
    assert_int_equal(line.len, LOG_LINE_CAPACITY - 4 + 1); // full, and a newline
    assert_true(line.fields_len <= sizeof(line.fields));
    assert_int_equal(line.fields[line.fields_len - 1], '\n');
    line.text[line.len - 1] = '\0';
    (void)expect_field(line.fields_len - line.len - sizeof("MESSAGE") - 8, "MESSAGE", line.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_no_strings_in_json),
        cmocka_unit_test(a_bare_line_begins_with_its_event),
        cmocka_unit_test(a_zero_among_bytes_ends_nothing),
        cmocka_unit_test(a_number_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(the_journal_gets_a_field_of_each_pair_as_it_is),
        cmocka_unit_test(a_message_has_room_behind_however_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
