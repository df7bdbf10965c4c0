// SPDX-License-Identifier: BSD-3-Clause
// Claims about text that may be anything.
#include "ctl/text.h"

#include "support.h"

#include <locale.h>

static int in_utf8(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static int in_ascii(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C") ? 0 : -1;
}

static void leaves_what_can_be_shown(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(text_clean("bób 漢字", text, sizeof(text)), "bób 漢字");
    assert_int_equal(text_width("bób 漢字"), 8);
}

static void shows_control_characters_as_what_they_are(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(text_clean("a\x1b[2J\n\x7f", text, sizeof(text)), "a\\x1b[2J\\x0a\\x7f");
    // CSI as one character, and what is not UTF-8 at all.
    assert_string_equal(text_clean("\xc2\x9b", text, sizeof(text)), "\\xc2\\x9b");
    assert_string_equal(text_clean("\xff\xc3", text, sizeof(text)), "\\xff\\xc3");
}

static void shows_in_ascii_what_is_not_as_bytes(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(text_clean("b\xc3\xb3"
                                   "b",
                                   text, sizeof(text)),
                        "b\\xc3\\xb3b");
}

static void cuts_between_characters(void **state)
{
    char text[4] = "xxx";

    (void)state;
    assert_string_equal(text_clean("abó", text, sizeof(text)), "ab");
    assert_string_equal(text_clean("a\n", text, sizeof(text)), "a");
    assert_string_equal(text_clean("abc", text, 1), "");
    assert_int_equal(text_fit("漢字", 3), 3);
    assert_int_equal(text_fit("abc", 5), 3);
    assert_int_equal(text_fit("abc", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(leaves_what_can_be_shown, in_utf8),
        cmocka_unit_test_setup(shows_control_characters_as_what_they_are, in_utf8),
        cmocka_unit_test_setup(shows_in_ascii_what_is_not_as_bytes, in_ascii),
        cmocka_unit_test_setup(cuts_between_characters, in_utf8),
    };

    return cmocka_run_group_tests_name("ctl/text", tests, NULL, NULL);
}
