// SPDX-License-Identifier: BSD-3-Clause
// OpaqueString: what it maps, what it refuses (RFC 8265 section 4.2, RFC 8264 section 8, RFC 5892
// appendix A).
#include "proto/opaque_string.h"

#include "support.h"
#include "vectors.h"

#include <dlfcn.h>
#include <errno.h>
#include <unictype.h>

static unsigned script_lookups;

// Takes libunistring's place in this executable, and asks it.
const uc_script_t *uc_script_byname(const char *name)
{
    static const uc_script_t *(*real)(const char *name);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "uc_script_byname");
    script_lookups++;
    return real(name);
}

static void assert_prepared(const char *text, const char *expected)
{
    char buffer[256];

    assert_int_equal(opaque_string_prepare(span_of(text), buffer, sizeof(buffer) - 1), 0);
    assert_string_equal(buffer, expected);
}

static void assert_refused(const char *text)
{
    char buffer[256] = "untouched";

    if (opaque_string_prepare(span_of(text), buffer, sizeof(buffer) - 1) != -EINVAL)
        fail_msg("took \"%s\"", text);
    assert_string_equal(buffer, "untouched");
}

static void leaves_ascii_alone(void **state)
{
    char text[96];
    unsigned len = 0;

    (void)state;
    for (char character = ' '; character <= '~'; character++)
        text[len++] = character;
    text[len] = '\0';
    assert_prepared(text, text);
}

static void leaves_the_katakana_username_of_rfc_5769_alone(void **state)
{
    (void)state;
    assert_prepared(VECTOR_LONG_TERM_USERNAME, VECTOR_LONG_TERM_USERNAME);
}

// RFC 8489 appendix B.1 takes SASLprep's result for OpaqueString's. PRECIS forbids U+00AD, and NFC
// keeps U+00AA and U+2168.
static void refuses_the_password_of_rfc_8489_appendix_b_1_for_its_soft_hyphen(void **state)
{
    (void)state;
    assert_refused("The\xc2\xadM\xc2\xaatr\xe2\x85\xa8");
    assert_prepared("TheM\xc2\xaatr\xe2\x85\xa8", "TheM\xc2\xaatr\xe2\x85\xa8");
}

// RFC 8265 section 4.4.
static void takes_the_examples_of_rfc_8265(void **state)
{
    (void)state;
    assert_prepared("correct horse battery staple", "correct horse battery staple");
    assert_prepared("Correct Horse Battery Staple", "Correct Horse Battery Staple");
    assert_prepared("\xcf\x80\xc3\x9f\xc3\xa5", "\xcf\x80\xc3\x9f\xc3\xa5");
    assert_prepared("Jack of \xe2\x99\xa6s", "Jack of \xe2\x99\xa6s");
    assert_prepared("foo\xe1\x9a\x80"
                    "bar",
                    "foo bar"); // OGHAM SPACE MARK
    assert_refused("");
    assert_refused("my cat is a \x09"
                   "by"); // a tab
}

static void maps_every_space_to_ascii_space(void **state)
{
    static const char *const spaces[] = {"\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80",
                                         "\xe2\x80\x83", "\xe2\x80\x8a", "\xe2\x80\xaf",
                                         "\xe2\x81\x9f", "\xe3\x80\x80"};

    (void)state;
    for (unsigned i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        char text[8] = "a";

        strcat(text, spaces[i]);
        strcat(text, "b");
        assert_prepared(text, "a b");
    }
}

static void composes_to_nfc(void **state)
{
    (void)state;
    assert_prepared("e\xcc\x81", "\xc3\xa9");
    assert_prepared("\xe2\x84\xab", "\xc3\x85");                             // ANGSTROM SIGN
    assert_prepared("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81"); // three jamo
}

static void does_not_fold_case_or_width(void **state)
{
    (void)state;
    assert_prepared("\xef\xbc\xa1"
                    "Ab",
                    "\xef\xbc\xa1"
                    "Ab"); // FULLWIDTH A
}

static void refuses_controls(void **state)
{
    char text[4] = "a?b";

    (void)state;
    for (char control = 1; control < ' '; control++) {
        text[1] = control;
        assert_refused(text);
    }
    assert_refused("\x7f");
    assert_refused("\xc2\x85");
}

static void refuses_a_zero_byte_within(void **state)
{
    char buffer[16];

    (void)state;
    assert_int_equal(opaque_string_prepare((struct span){(const uint8_t *)"a\0b", 3}, buffer,
                                           sizeof(buffer) - 1),
                     -EINVAL);
}

static void refuses_invalid_utf8(void **state)
{
    static const char *const texts[] = {"\x80",         "a\xc0\xaf",        "\xe0\x80\x80",
                                        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
                                        "\xe3\x83",     "\xf0\x9f\x98"};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void refuses_what_no_precis_class_allows(void **state)
{
    static const char *const texts[] = {
        "\xe2\x80\x8b", // ZERO WIDTH SPACE: ignorable
        "\xef\xbb\xbf", // BYTE ORDER MARK: ignorable
        "\xef\xb8\x8f", // VARIATION SELECTOR-16: ignorable
        "\xe2\x80\xae", // RIGHT-TO-LEFT OVERRIDE
        "\xe2\x80\xa8", // LINE SEPARATOR
        "\xee\x80\x80", // private use
        "\xef\xbf\xbf", // noncharacter
        "\xcd\xb8",     // unassigned
        "\xe1\x84\x80", // a jamo that composes with nothing
        "\xd9\x80",     // ARABIC TATWEEL
        "\xdf\xba",     // NKO LAJANYALAN
        "\xe3\x80\xae", // HANGUL SINGLE DOT TONE MARK
        "\xe3\x80\xaf", // HANGUL DOUBLE DOT TONE MARK
        "\xe3\x80\xb1", // VERTICAL KANA REPEAT MARK
        "\xe3\x80\xb5", // the last of those marks
        "\xe3\x80\xbb", // VERTICAL IDEOGRAPHIC ITERATION MARK
        "\xea\xa5\xa0", // a jamo of Hangul Jamo Extended-A
        "\xed\x9e\xb0", // and one of Extended-B
        "\xed\x9f\xbb", // the last of them
        "\xd8\x80",     // ARABIC NUMBER SIGN
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void takes_letters_marks_numbers_symbols_and_punctuation(void **state)
{
    static const char *const texts[] = {"\xd0\x96",         "\xe0\xa4\x95\xe0\xa4\xbf",
                                        "\xc2\xbd",         "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80", "\xe2\x80\x94",
                                        "\xe6\xbc\xa2",     "\xd7\xa9",
                                        "\xe2\x85\xa8"};

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_prepared(texts[i], texts[i]);
}

// Each text with a code point that RFC 5892 appendix A allows in its context only: in it, and out
// of it.
static void takes_contextual_code_points_in_their_context_only(void **state)
{
    static const struct {
        const char *allowed, *refused;
    } cases[] = {
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8c\xe0\xa4\xb7", "a\xe2\x80\x8c"
                                                             "b"}, // ZWNJ after a virama
        {"\xd8\xa8\xe2\x80\x8c\xd8\xa8",
         "\xd8\xa7\xe2\x80\x8c\xd8\xa8"}, // ZWNJ after beh, after alef
        {"\xd8\xa8\xd9\x8e\xe2\x80\x8c\xd9\x8e\xd8\xa7",
         "\xd8\xa8\xe2\x80\x8c"}, // over vowel marks; at the end
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7", "\xd8\xa8\xe2\x80\x8d\xd8\xa8"}, // ZWJ
        {"l\xc2\xb7l", "a\xc2\xb7"
                       "b"}, // MIDDLE DOT
        {"\xcd\xb5\xce\xb1", "\xcd\xb5"
                             "a"},                     // GREEK KERAIA
        {"\xd7\x90\xd7\xb3", "a\xd7\xb3"},             // HEBREW GERESH
        {"\xd7\x90\xd7\xb4", "\xd7\xb4\xd7\x90"},      // HEBREW GERSHAYIM
        {"\xe3\x83\xbb\xe3\x82\xab", "a\xe3\x83\xbb"}, // KATAKANA MIDDLE DOT
        {"\xd9\xa0\xd9\xa9", "\xd9\xa0\xdb\xb0"},      // Arabic-Indic digits
        {"\xdb\xb0\xdb\xb9", "\xdb\xb0\xd9\xa0"},      // Extended ones
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_prepared(cases[i].allowed, cases[i].allowed);
        assert_refused(cases[i].refused);
    }
}

static void refuses_a_non_joiner_beside_a_letter_that_does_not_join(void **state)
{
    (void)state;
    assert_refused("\xd8\xa8\xe2\x80\x8c"
                   "a");
    assert_refused("a\xe2\x80\x8c\xd8\xa8");
    // U+A872 joins what follows it only, U+0627 what precedes it only.
    assert_prepared("\xea\xa1\xb2\xe2\x80\x8c\xd8\xa7", "\xea\xa1\xb2\xe2\x80\x8c\xd8\xa7");
    assert_refused("\xd8\xa7\xe2\x80\x8c\xd8\xa8");
    assert_refused("\xd8\xa8\xe2\x80\x8c\xea\xa1\xb2");
}

static void refuses_a_contextual_code_point_at_either_end(void **state)
{
    (void)state;
    assert_refused("\xd8\xa8\xe2\x80\x8c");
    assert_refused("\xe2\x80\x8c\xd8\xa8");
    assert_refused("\xc2\xb7l");
    assert_refused("l\xc2\xb7");
    assert_refused("\xe2\x80\x8d");
    assert_refused("\xcd\xb5");
}

// Anybody may send a username of 763 bytes: its cost must not grow with the square of that.
static void takes_no_more_lookups_for_a_long_string_than_for_its_code_points(void **state)
{
    char text[763];
    char buffer[sizeof(text)];
    size_t len = 0;

    (void)state;
    for (; len + 6 <= sizeof(text); len += 3)
        memcpy(text + len, "\xe3\x83\xbb", 3); // katakana middle dot
    memcpy(text + len, "\xe3\x81\x82", 3);     // hiragana a, which allows them
    len += 3;
    script_lookups = 0;
    assert_int_equal(opaque_string_prepare((struct span){(const uint8_t *)text, len}, buffer,
                                           sizeof(buffer) - 1),
                     0);
    assert_true(script_lookups > 0);
    assert_true(script_lookups <= len);
}

static void writes_at_most_capacity_bytes_and_a_terminator(void **state)
{
    char buffer[] = "12345678";

    (void)state;
    assert_int_equal(opaque_string_prepare(span_of("abcde"), buffer, 4), -ENOSPC);
    assert_string_equal(buffer, "12345678");
    assert_int_equal(opaque_string_prepare(span_of("abcd"), buffer, 4), 0);
    assert_string_equal(buffer, "abcd");
    assert_int_equal(buffer[5], '6');
    assert_int_equal(opaque_string_prepare(span_of("a"), buffer, 0), -ENOSPC);

    strcpy(buffer, "12345678");
    assert_int_equal(opaque_string_prepare(span_of("abc\xc3\xa9"), buffer, 4), -ENOSPC);
    assert_string_equal(buffer, "12345678");
    assert_int_equal(opaque_string_prepare(span_of("ab\xc3\xa9"), buffer, 4), 0);
    assert_string_equal(buffer, "ab\xc3\xa9");
    assert_int_equal(buffer[5], '6');
}

static void prepares_to_what_it_leaves_alone(void **state)
{
    static const char *const texts[] = {"e\xcc\x81\xc2\xa0x", "\xe2\x84\xab\xe3\x80\x80", "plain"};
    char once[64];
    char twice[64];

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(opaque_string_prepare(span_of(texts[i]), once, sizeof(once) - 1), 0);
        assert_int_equal(opaque_string_prepare(span_of(once), twice, sizeof(twice) - 1), 0);
        assert_string_equal(once, twice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_ascii_alone),
        cmocka_unit_test(leaves_the_katakana_username_of_rfc_5769_alone),
        cmocka_unit_test(refuses_the_password_of_rfc_8489_appendix_b_1_for_its_soft_hyphen),
        cmocka_unit_test(takes_the_examples_of_rfc_8265),
        cmocka_unit_test(maps_every_space_to_ascii_space),
        cmocka_unit_test(composes_to_nfc),
        cmocka_unit_test(does_not_fold_case_or_width),
        cmocka_unit_test(refuses_controls),
        cmocka_unit_test(refuses_a_zero_byte_within),
        cmocka_unit_test(refuses_invalid_utf8),
        cmocka_unit_test(refuses_what_no_precis_class_allows),
        cmocka_unit_test(takes_letters_marks_numbers_symbols_and_punctuation),
        cmocka_unit_test(takes_contextual_code_points_in_their_context_only),
        cmocka_unit_test(refuses_a_non_joiner_beside_a_letter_that_does_not_join),
        cmocka_unit_test(refuses_a_contextual_code_point_at_either_end),
        cmocka_unit_test(takes_no_more_lookups_for_a_long_string_than_for_its_code_points),
        cmocka_unit_test(writes_at_most_capacity_bytes_and_a_terminator),
        cmocka_unit_test(prepares_to_what_it_leaves_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
