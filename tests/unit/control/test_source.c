// SPDX-License-Identifier: BSD-3-Clause
// Claims about the text of a configuration file: what of its integers libconfig 1.5 would lose.
#include "control/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void finds_integers_that_32_bits_do_not_hold(void **state)
{
    static const char *const cut[] = {
        "2147483648",  "-2147483649",          "+4294967297",          "99999999999999999999",
        "0x80000000",  "0XFFFFFFFFFFF",        "9223372036854775808L", "18446744073709551617LL",
        "04294967296", "0xFFFFFFFFFFFFFFFFFL",
    };
    static const char *const kept[] = {
        "2147483647",           "-2147483648",         "+7",  "0x7fffffff",   "0",   "007",
        "9223372036854775807L", "0x7fffffffffffffffL", "4e9", "4000000000.5", "true"};
    char text[64], integer[SOURCE_INTEGER_LEN];

    (void)state;
    for (unsigned i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        snprintf(text, sizeof(text), "number = %s;", cut[i]);
        if (!source_has_cut_integer(text, 1, "number", integer))
            fail_msg("%s", text);
        assert_string_equal(integer, cut[i]);
    }
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        snprintf(text, sizeof(text), "number = %s;", kept[i]);
        if (source_has_cut_integer(text, 1, "number", integer))
            fail_msg("%s", text);
    }
}

static void tells_the_setting_from_what_looks_like_it(void **state)
{
    static const char *const others[] = {"number = 1;\nnumber = 4294967296;",
                                         "numbers = 4294967296; number = 1;",
                                         "// number = 4294967296;\n",
                                         "# number = 4294967296;\n",
                                         "/* number = 4294967296; */ number = 1;",
                                         "text = \"number = 4294967296;\"; number = 1;",
                                         "text = \"\\\" number = 4294967296;\";",
                                         "a = { number = 1; }; b = { other = 4294967296; };",
                                         "number = \"4294967296\";",
                                         "/* number = 4294967296",
                                         "text = \"number = 4294967296",
                                         "number = ",
                                         "number 4294967296",
                                         ""};
    char integer[SOURCE_INTEGER_LEN] = "untouched";

    (void)state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (source_has_cut_integer(others[i], 1, "number", integer))
            fail_msg("%s", others[i]);
    }
    assert_string_equal(integer, "untouched");
}

static void finds_it_wherever_libconfig_does(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } cases[] = {
        {"\n\nnumber=4294967296", 3},
        {"number : 4294967296;", 1},
        {"number\n=\n# a comment\n4294967296;", 1},
        {"/* two\nlines */ number = /* here */ 4294967296;", 2},
        {"text = \"two\nlines\"; number = 4294967296;", 2},
        {"items = ( { number = 1; }, { number = 4294967296; } );", 1},
        {"inner: {\n\tnumber = 4294967296 }", 2},
        {"text = \"a\\\\\"; number = 4294967296;", 1},
    };
    char integer[SOURCE_INTEGER_LEN];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!source_has_cut_integer(cases[i].text, cases[i].line, "number", integer))
            fail_msg("%s", cases[i].text);
        assert_string_equal(integer, "4294967296");
    }
}

static void a_long_integer_is_cut_off_in_its_buffer(void **state)
{
    char text[256] = "number = ", integer[SOURCE_INTEGER_LEN];

    (void)state;
    memset(text + strlen(text), '9', 200);
    assert_true(source_has_cut_integer(text, 1, "number", integer));
    assert_int_equal(strlen(integer), SOURCE_INTEGER_LEN - 1);
}

static int read_bytes(const char *bytes, size_t len, char **ret_text)
{
    char path[] = "/tmp/turnpike-test-XXXXXX";
    int fd = mkstemp(path), error;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    error = source_read(path, ret_text);
    unlink(path);
    return error;
}

static void reads_a_whole_file(void **state)
{
    static char large[300000];
    char *text;

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(read_bytes(large, strlen(large), &text), 0);
    assert_string_equal(text, large);
    source_free(text);
    assert_int_equal(read_bytes("", 0, &text), 0);
    assert_string_equal(text, "");
    source_free(text);
}

static void says_why_a_file_cannot_be_read(void **state)
{
    char *text = (char *)"untouched";

    (void)state;
    assert_int_equal(source_read("/nonexistent", &text), -ENOENT);
    assert_int_equal(source_read("/", &text), -EISDIR);
    assert_int_equal(read_bytes("a = 1;\0b = 2;", 13, &text), -EILSEQ);
    assert_int_equal(read_bytes("a = 1;\0", 7, &text), -EILSEQ);
    assert_string_equal(text, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_integers_that_32_bits_do_not_hold),
        cmocka_unit_test(tells_the_setting_from_what_looks_like_it),
        cmocka_unit_test(finds_it_wherever_libconfig_does),
        cmocka_unit_test(a_long_integer_is_cut_off_in_its_buffer),
        cmocka_unit_test(reads_a_whole_file),
        cmocka_unit_test(says_why_a_file_cannot_be_read),
    };

    return cmocka_run_group_tests_name("control/source", tests, NULL, NULL);
}
