// SPDX-License-Identifier: BSD-3-Clause
// Claims about what fits into an answer, and how it is read back.
#include "platform/telemetry_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct telemetry_answer answer;
static char json[2 * TELEMETRY_ANSWER_JSON_LEN];

static int set_up(void **state)
{
    (void)state;
    telemetry_answer_reset(&answer);
    return 0;
}

static size_t add_text(size_t len, const char *text)
{
    len += (size_t)sprintf(json + len, "\"");
    for (; *text != '\0'; text++)
        len += (size_t)sprintf(json + len, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    return len + (size_t)sprintf(json + len, "\"");
}

// As DPDK writes it.
static const char *as_json(void)
{
    size_t offset = 0, len = (size_t)sprintf(json, "{");
    struct telemetry_entry entry;

    while (telemetry_answer_next(&answer, &offset, &entry)) {
        if (entry.kind == TELEMETRY_ENTRY_CLOSE) {
            len += (size_t)sprintf(json + len, "}");
            continue;
        }
        if (json[len - 1] != '{')
            len += (size_t)sprintf(json + len, ",");
        len += (size_t)sprintf(json + len, "\"%s\":", entry.name);
        if (entry.kind == TELEMETRY_ENTRY_NUMBER)
            len += (size_t)sprintf(json + len, "%llu", (unsigned long long)entry.number);
        else if (entry.kind == TELEMETRY_ENTRY_TEXT)
            len = add_text(len, entry.text);
        else
            len += (size_t)sprintf(json + len, "{");
    }
    sprintf(json + len, "}");
    return json;
}

static void reads_back_what_was_said(void **state)
{
    (void)state;
    telemetry_answer_number(&answer, "zero", 0);
    telemetry_answer_open(&answer, "outer");
    telemetry_answer_open(&answer, "empty");
    telemetry_answer_close(&answer);
    telemetry_answer_text(&answer, "text", "a \"b\\");
    telemetry_answer_close(&answer);
    telemetry_answer_number(&answer, "most", UINT64_MAX);
    assert_string_equal(as_json(), "{\"zero\":0,\"outer\":{\"empty\":{},\"text\":\"a \\\"b\\\\\"},"
                                   "\"most\":18446744073709551615}");
}

static void text_is_printable_ascii(void **state)
{
    (void)state;
    telemetry_answer_text(&answer, "text", "100%\n\xc3\xa4~\x7f");
    assert_string_equal(as_json(), "{\"text\":\"100%25%0A%C3%A4~%7F\"}");
}

static void long_text_is_cut_between_two_characters(void **state)
{
    char longest[TELEMETRY_ANSWER_TEXT_LEN], text[200];
    size_t offset = 0;
    struct telemetry_entry entry;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 4] = '\0';
    telemetry_answer_text(&answer, "whole", longest);
    memset(text, '\xff', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    telemetry_answer_text(&answer, "cut", text);
    assert_true(telemetry_answer_next(&answer, &offset, &entry));
    assert_string_equal(entry.text, longest);
    assert_true(telemetry_answer_next(&answer, &offset, &entry));
    assert_true(strlen(entry.text) < TELEMETRY_ANSWER_TEXT_LEN);
    assert_int_equal(strlen(entry.text) % 3, 0);
    assert_string_equal(entry.text + strlen(entry.text) - 6, "%FF...");
}

static void is_never_longer_than_a_reply(void **state)
{
    char name[TELEMETRY_ANSWER_NAME_LEN], full[2000];

    (void)state;
    memset(full, '"', sizeof(full) - 1);
    full[sizeof(full) - 1] = '\0';
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "set%u", i);
        telemetry_answer_open(&answer, name);
        telemetry_answer_text(&answer, "text", full);
        telemetry_answer_close(&answer);
    }
    assert_true(answer.state.is_cut);
    assert_true(strlen(as_json()) <= TELEMETRY_ANSWER_JSON_LEN - sizeof(",\"cut\":1"));
    assert_int_equal(strlen(json), answer.state.json_len);
    assert_true(strlen(json) > TELEMETRY_ANSWER_JSON_LEN - 400);
}

static void a_set_has_no_more_entries_than_dpdks(void **state)
{
    unsigned count = 0;
    size_t offset = 0;
    struct telemetry_entry entry;

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        telemetry_answer_number(&answer, "n", i);
    while (telemetry_answer_next(&answer, &offset, &entry))
        count++;
    assert_int_equal(count, TELEMETRY_ANSWER_ENTRIES_MAX - 1); // and one to say that it is cut
    assert_true(answer.state.is_cut);
}

static void what_does_not_fit_is_taken_back_whole(void **state)
{
    struct telemetry_answer_state mark;

    (void)state;
    telemetry_answer_number(&answer, "kept", 1);
    mark = telemetry_answer_mark(&answer);
    telemetry_answer_open(&answer, "gone");
    for (unsigned i = 0; i < 300; i++)
        telemetry_answer_number(&answer, "n", i);
    assert_true(answer.state.is_cut);
    telemetry_answer_take_back(&answer, &mark);
    telemetry_answer_number(&answer, "next", 2);
    assert_string_equal(as_json(), "{\"kept\":1,\"next\":2}");
    assert_false(answer.state.is_cut);
}

static void an_error_takes_the_place_of_what_was_said(void **state)
{
    (void)state;
    telemetry_answer_open(&answer, "half");
    telemetry_answer_error(&answer, NULL, "no such %s", "thing");
    assert_string_equal(as_json(), "{\"error\":\"no such thing\"}");
    telemetry_answer_error(&answer, "this, that", "no %d", 3);
    assert_string_equal(as_json(), "{\"error\":\"no 3\",\"allowed\":\"this, that\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_back_what_was_said, set_up),
        cmocka_unit_test_setup(text_is_printable_ascii, set_up),
        cmocka_unit_test_setup(long_text_is_cut_between_two_characters, set_up),
        cmocka_unit_test_setup(is_never_longer_than_a_reply, set_up),
        cmocka_unit_test_setup(a_set_has_no_more_entries_than_dpdks, set_up),
        cmocka_unit_test_setup(what_does_not_fit_is_taken_back_whole, set_up),
        cmocka_unit_test_setup(an_error_takes_the_place_of_what_was_said, set_up),
    };

    return cmocka_run_group_tests_name("platform/telemetry_answer", tests, NULL, NULL);
}
