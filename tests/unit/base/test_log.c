// SPDX-License-Identifier: BSD-3-Clause
// Log lines, over a faked write and a faked clock.
#include "base/log.h"

#include "support.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char written[16384];
static size_t written_len;
static unsigned write_calls;

// These two take the C library's place in this executable.
ssize_t write(int fd, const void *bytes, size_t len)
{
    assert_int_equal(fd, STDERR_FILENO);
    assert_true(len < sizeof(written));
    memcpy(written, bytes, len);
    written[len] = '\0';
    written_len = len;
    write_calls++;
    return (ssize_t)len;
}

int clock_gettime(clockid_t id, struct timespec *time)
{
    if (id != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, id, time);
    *time = (struct timespec){.tv_sec = 1795248000, .tv_nsec = 7999999};
    return 0;
}

static int reset(void **state)
{
    (void)state;
    log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    written[0] = '\0';
    written_len = 0;
    write_calls = 0;
    return 0;
}

static void writes_a_text_line_of_bare_and_quoted_values(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "allocation_created", "client", "192.0.2.1:5000", "user", "two words",
              NULL);
    assert_string_equal(written,
                        "2026-11-21T08:00:00.007Z info allocation_created client=192.0.2.1:5000 "
                        "user=\"two words\"\n");
    assert_int_equal(write_calls, 1);
}

static void writes_a_json_object_a_line(void **state)
{
    (void)state;
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_WARNING, "user_refused", "user", "a\"b\\c", "count", "7", NULL);
    assert_string_equal(
        written,
        "{\"time\":\"2026-11-21T08:00:00.007Z\",\"level\":\"warning\",\"event\":\"user_refused\","
        "\"user\":\"a\\\"b\\\\c\",\"count\":\"7\"}\n");
    assert_int_equal(write_calls, 1);
}

static void writes_an_event_without_pairs(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_ERROR, "stopped", NULL);
    assert_string_equal(written, "2026-11-21T08:00:00.007Z error stopped\n");
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_ERROR, "stopped", NULL);
    assert_string_equal(
        written,
        "{\"time\":\"2026-11-21T08:00:00.007Z\",\"level\":\"error\",\"event\":\"stopped\"}\n");
}

static void quotes_in_text_what_could_be_taken_for_something_else(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "e", "a", "", "b", "x=y", "c", "say \"hi\"", "d", "back\\slash",
              NULL);
    assert_non_null(
        strstr(written, " a=\"\" b=\"x=y\" c=\"say \\\"hi\\\"\" d=\"back\\\\slash\"\n"));
}

static void never_lets_a_value_start_a_line_of_its_own(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "e", "user", "x\n2026 error forged\r\x1b[31m", NULL);
    assert_ptr_equal(strchr(written, '\n'), written + written_len - 1);
    assert_non_null(strstr(written, " user=\"x\\n2026 error forged\\x0d\\x1b[31m\"\n"));
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_INFO, "e", "user", "x\ny\tz\r\x1b\x7f", NULL);
    assert_non_null(strstr(written, ",\"user\":\"x\\ny\\tz\\r\\u001b\\u007f\"}\n"));
}

static void escapes_c1_controls_in_both_formats(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "e", "v",
              "a\xc2\x9b"
              "b",
              NULL);
    assert_non_null(strstr(written, " v=\"a\\xc2\\x9bb\"\n"));
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_INFO, "e", "v",
              "a\xc2\x9b"
              "b",
              NULL);
    assert_non_null(strstr(written, ",\"v\":\"a\\u009bb\"}\n"));
}

static void passes_utf8_through(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_INFO, "e", "v", "\xc3\xa9\xe3\x83\x9e\xf0\x9f\x98\x80", NULL);
    assert_non_null(strstr(written, " v=\"\xc3\xa9\xe3\x83\x9e\xf0\x9f\x98\x80\"\n"));
}

static void replaces_bytes_that_are_no_utf8(void **state)
{
    // A stray continuation, an overlong slash, a surrogate, past U+10FFFF, a sequence cut off by
    // the end.
    static const struct {
        const char *bytes, *text, *json;
    } cases[] = {
        {"\x80", "\\x80", "\\ufffd"},
        {"\xc0\xaf", "\\xc0\\xaf", "\\ufffd\\ufffd"},
        {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", "\\ufffd\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xe3\x83", "\\xe3\\x83", "\\ufffd\\ufffd"},
        {"\xff", "\\xff", "\\ufffd"},
    };
    char expected[128];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        log_event(LOG_LEVEL_INFO, "e", "v", cases[i].bytes, NULL);
        snprintf(expected, sizeof(expected), " v=\"%s\"\n", cases[i].text);
        assert_non_null(strstr(written, expected));
        log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
        log_event(LOG_LEVEL_INFO, "e", "v", cases[i].bytes, NULL);
        snprintf(expected, sizeof(expected), "\"v\":\"%s\"}\n", cases[i].json);
        assert_non_null(strstr(written, expected));
    }
}

static void takes_a_missing_value_as_empty(void **state)
{
    const char *missing = NULL;

    (void)state;
    log_event(LOG_LEVEL_INFO, "e", "a", missing, "b", "1", NULL);
    assert_non_null(strstr(written, " a=\"\" b=1\n"));
}

static void writes_a_formatted_message(void **state)
{
    (void)state;
    log_message(LOG_LEVEL_INFO, "config", "line %d: %s", 7, "bad");
    assert_string_equal(written, "2026-11-21T08:00:00.007Z info config message=\"line 7: bad\"\n");
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_message(LOG_LEVEL_INFO, "config", "%s", "a\"b");
    assert_non_null(strstr(written, "\"event\":\"config\",\"message\":\"a\\\"b\"}\n"));
}

static void says_once_what_its_rate_left_out(void **state)
{
    struct log_line line;

    (void)state;
    log_set_rate(2);
    for (unsigned i = 0; i < 5; i++)
        log_event(LOG_LEVEL_INFO, "often", NULL);
    log_event(LOG_LEVEL_INFO, "seldom", NULL);
    assert_int_equal(write_calls, 3);
    assert_true(log_begin_always(&line, LOG_LEVEL_INFO, "often"));
    log_end(&line, LOG_LEVEL_INFO);
    assert_int_equal(write_calls, 4);
    log_report();
    assert_int_equal(write_calls, 5);
    assert_string_equal(written,
                        "2026-11-21T08:00:00.007Z warning log_suppressed of=often count=3\n");
    log_report();
    assert_int_equal(write_calls, 5);
    assert_int_equal(log_suppressed_count(), 3);
    log_set_rate(0);
}

static void a_subsystem_may_say_more_than_the_others(void **state)
{
    (void)state;
    log_set_subsystem_level(LOG_SESSIONS, LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_DEBUG, "session_started", NULL);
    log_event(LOG_LEVEL_DEBUG, "no_route", NULL);
    assert_int_equal(write_calls, 1);
    log_set_subsystem_level(LOG_SESSIONS, LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARNING, "session_started", NULL);
    assert_int_equal(write_calls, 1);
}

// By its thread, in order, and all of them by the end.
static void writes_the_same_once_it_has_a_thread(void **state)
{
    (void)state;
    assert_int_equal(log_start(), 0);
    for (unsigned i = 0; i < 100; i++)
        log_event(LOG_LEVEL_INFO, "threaded", NULL);
    log_message(LOG_LEVEL_INFO, "last", "%s", "word");
    log_flush(10000);
    assert_int_equal(write_calls, 101);
    assert_string_equal(written, "2026-11-21T08:00:00.007Z info last message=word\n");
    log_stop(10000);
    log_event(LOG_LEVEL_INFO, "after", NULL);
    assert_int_equal(write_calls, 102);
    assert_int_equal(log_lost_count(), 0);
}

static void writes_nothing_below_its_level(void **state)
{
    (void)state;
    log_event(LOG_LEVEL_DEBUG, "e", NULL);
    log_message(LOG_LEVEL_DEBUG, "e", "%s", "m");
    assert_int_equal(write_calls, 0);
    log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_DEBUG, "e", NULL);
    assert_int_equal(write_calls, 1);
    log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    log_event(LOG_LEVEL_WARNING, "e", NULL);
    assert_int_equal(write_calls, 1);
}

// Past one JSON string that starts here, NULL when there is none.
static const char *skip_json_string(const char *text)
{
    if (*text++ != '"')
        return NULL;
    for (; *text != '"'; text++) {
        if ((unsigned char)*text < 0x20)
            return NULL;
        if (*text == '\\' && strchr("\"\\nrtu", *++text) == NULL)
            return NULL;
    }
    return text + 1;
}

// An object of strings, and a newline.
static bool is_json_line(const char *text)
{
    char before = '{';

    while (*text == before) {
        text = skip_json_string(text + 1);
        if (text == NULL || *text != ':')
            return false;
        text = skip_json_string(text + 1);
        if (text == NULL)
            return false;
        before = ',';
    }
    return before == ',' && strcmp(text, "}\n") == 0;
}

static void writes_valid_json_at_whatever_length_a_line_is_cut_off(void **state)
{
    static char value[9000];

    (void)state;
    log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    for (size_t len = 8000; len < 8200; len++) {
        memset(value, 'x', len);
        value[len] = '\0';
        log_event(LOG_LEVEL_INFO, "e", "k", value, "next", "\n\n\n\n", "last", "\x01", NULL);
        assert_true(written_len <= 8192);
        assert_true(is_json_line(written));
    }
}

static void cuts_off_a_long_text_line_and_still_ends_it(void **state)
{
    static char value[9000];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[0] = ' ';
    log_event(LOG_LEVEL_INFO, "e", "k", value, "next", "1", NULL);
    assert_true(written_len <= 8192);
    assert_string_equal(written + written_len - 3, "x\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(writes_a_text_line_of_bare_and_quoted_values, reset),
        cmocka_unit_test_setup(writes_a_json_object_a_line, reset),
        cmocka_unit_test_setup(writes_an_event_without_pairs, reset),
        cmocka_unit_test_setup(quotes_in_text_what_could_be_taken_for_something_else, reset),
        cmocka_unit_test_setup(never_lets_a_value_start_a_line_of_its_own, reset),
        cmocka_unit_test_setup(escapes_c1_controls_in_both_formats, reset),
        cmocka_unit_test_setup(passes_utf8_through, reset),
        cmocka_unit_test_setup(replaces_bytes_that_are_no_utf8, reset),
        cmocka_unit_test_setup(takes_a_missing_value_as_empty, reset),
        cmocka_unit_test_setup(writes_a_formatted_message, reset),
        cmocka_unit_test_setup(says_once_what_its_rate_left_out, reset),
        cmocka_unit_test_setup(a_subsystem_may_say_more_than_the_others, reset),
        cmocka_unit_test_setup(writes_the_same_once_it_has_a_thread, reset),
        cmocka_unit_test_setup(writes_nothing_below_its_level, reset),
        cmocka_unit_test_setup(writes_valid_json_at_whatever_length_a_line_is_cut_off, reset),
        cmocka_unit_test_setup(cuts_off_a_long_text_line_and_still_ends_it, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
