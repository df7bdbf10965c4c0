// SPDX-License-Identifier: BSD-3-Clause
// Claims about the command line.
#include "control/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct said {
    char *output;
    char *errors;
};

#define ARGUMENTS_MAX 8

static enum options_verdict parse(const char *const *arguments, struct options *ret_options,
                                  struct said *ret_said)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)"turnpike"};
    size_t output_len, errors_len;
    FILE *output = open_memstream(&ret_said->output, &output_len);
    FILE *errors = open_memstream(&ret_said->errors, &errors_len);
    enum options_verdict verdict;
    int argc = 1;

    assert_true(output && errors);
    for (; arguments[argc - 1]; argc++)
        argv[argc] = (char *)arguments[argc - 1];
    verdict = options_parse(argc, argv, output, errors, ret_options);
    fclose(output);
    fclose(errors);
    return verdict;
}

static void forget(struct said *said)
{
    free(said->output);
    free(said->errors);
}

static void runs_with_the_default_file_when_nothing_is_said(void **state)
{
    static const char *const none[] = {NULL};
    struct options options;
    struct said said;

    (void)state;
    assert_int_equal(parse(none, &options, &said), OPTIONS_RUN);
    assert_string_equal(options.config_path, OPTIONS_DEFAULT_PATH);
    assert_false(options.check_config);
    assert_false(options.stats);
    forget(&said);
}

static void takes_every_option(void **state)
{
    static const char *const all[] = {"-c", "a.conf", "--check-config", "--stats", NULL};
    static const char *const path[] = {"--config=b.conf", NULL};
    struct options options;
    struct said said;

    (void)state;
    assert_int_equal(parse(all, &options, &said), OPTIONS_RUN);
    assert_string_equal(options.config_path, "a.conf");
    assert_true(options.check_config);
    assert_true(options.stats);
    forget(&said);
    assert_int_equal(parse(path, &options, &said), OPTIONS_RUN);
    assert_string_equal(options.config_path, "b.conf");
    forget(&said);
}

static void says_what_there_is_and_what_it_is(void **state)
{
    static const char *const help[] = {"--help", NULL};
    static const char *const version[] = {"--version", NULL};
    struct options options;
    struct said said;

    (void)state;
    assert_int_equal(parse(help, &options, &said), OPTIONS_DONE);
    for (const char *const *name =
             (const char *const[]){"--config", "--check-config", "--stats", NULL};
         *name; name++)
        assert_non_null(strstr(said.output, *name));
    forget(&said);
    assert_int_equal(parse(version, &options, &said), OPTIONS_DONE);
    assert_int_equal(strncmp(said.output, "turnpike ", 9), 0);
    forget(&said);
}

static void names_what_it_does_not_know(void **state)
{
    static const char *const wrong[][3] = {{"--statistics"}, {"-x"},      {"here"},
                                           {"-c"},           {"-xcq"},    {"--stats", "-xV"},
                                           {"--stats=3"},    {"--help=1"}};
    static const char *const named[] = {"unknown option --statistics;",
                                        "unknown option -x;",
                                        "unexpected argument here;",
                                        "a value is missing for -c;",
                                        "unknown option -x;",
                                        "unknown option -x;",
                                        "without a value was given one: --stats=3;",
                                        "without a value was given one: --help=1;"};
    struct options options = {.config_path = "untouched"};
    struct said said;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(wrong[i], &options, &said), OPTIONS_WRONG);
        assert_non_null(strstr(said.errors, named[i]));
        assert_string_equal(said.output, "");
        forget(&said);
    }
    assert_string_equal(options.config_path, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_with_the_default_file_when_nothing_is_said),
        cmocka_unit_test(takes_every_option),
        cmocka_unit_test(says_what_there_is_and_what_it_is),
        cmocka_unit_test(names_what_it_does_not_know),
    };

    return cmocka_run_group_tests_name("control/options", tests, NULL, NULL);
}
