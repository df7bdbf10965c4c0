// SPDX-License-Identifier: BSD-3-Clause
// Claims about the command line.
#include "ctl/command_line.h"

#include "support.h"

#define ARGUMENTS_MAX 20

static char *output, *errors;

static int forget(void **state)
{
    (void)state;
    free(output);
    free(errors);
    output = errors = NULL;
    return 0;
}

// Arguments with spaces between them.
static enum command_line_verdict parse(const char *arguments, struct command_line *ret_line)
{
    static char words[256];
    char *argv[ARGUMENTS_MAX + 1] = {(char *)"turnpike-ctl"}, *place;
    size_t len;
    FILE *output_file, *errors_file;
    enum command_line_verdict verdict;
    int argc = 1;

    forget(NULL);
    output_file = open_memstream(&output, &len);
    errors_file = open_memstream(&errors, &len);
    snprintf(words, sizeof(words), "%s", arguments);
    for (char *word = strtok_r(words, " ", &place); word; word = strtok_r(NULL, " ", &place))
        argv[argc++] = word;
    assert_true(argc <= ARGUMENTS_MAX);
    verdict = command_line_parse(argc, argv, output_file, errors_file, ret_line);
    fclose(output_file);
    fclose(errors_file);
    return verdict;
}

static void takes_every_command(void **state)
{
    static const struct {
        const char *arguments;
        enum verb verb;
    } lines[] = {
        {"status", VERB_STATUS},   {"workers", VERB_WORKERS},   {"ports", VERB_PORTS},
        {"drops", VERB_DROPS},     {"quotas", VERB_QUOTAS},     {"allocations", VERB_ALLOCATIONS},
        {"show 1a", VERB_SHOW},    {"kill 1a", VERB_KILL},      {"users", VERB_USERS},
        {"talkers", VERB_TALKERS}, {"log", VERB_LOG},           {"log turn debug", VERB_LOG},
        {"drain", VERB_DRAIN},     {"undrain", VERB_UNDRAIN},   {"reload", VERB_RELOAD},
        {"top", VERB_TOP},         {"kill --user a", VERB_KILL}};
    uint32_t seen = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(lines); i++) {
        struct command_line line;

        assert_int_equal(parse(lines[i].arguments, &line), COMMAND_LINE_RUN);
        assert_int_equal(line.verb, lines[i].verb);
        assert_string_equal(line.socket, CTL_DEFAULT_SOCKET);
        seen |= 1u << line.verb;
    }
    assert_int_equal(seen, (1u << VERB_COUNT) - 1);
}

static void takes_options_before_and_behind_the_command(void **state)
{
    struct command_line line;

    (void)state;
    assert_int_equal(
        parse("-s /s --user alice allocations --client 1 --peer 2 --relay 3 -n 7 -j", &line),
        COMMAND_LINE_RUN);
    assert_string_equal(line.socket, "/s");
    assert_string_equal(line.user, "alice");
    assert_string_equal(line.client, "1");
    assert_string_equal(line.peer, "2");
    assert_string_equal(line.relay, "3");
    assert_int_equal(line.limit, 7);
    assert_true(line.json);
    assert_false(line.all);
    assert_int_equal(parse("users -a", &line), COMMAND_LINE_RUN);
    assert_true(line.all);
    assert_int_equal(parse("kill -y -u bob", &line), COMMAND_LINE_RUN);
    assert_true(line.yes);
    assert_int_equal(parse("drain --deadline=10m --to 192.0.2.7", &line), COMMAND_LINE_RUN);
    assert_int_equal(line.deadline_s, 600);
    assert_true(line.has_deadline);
    assert_string_equal(line.to, "192.0.2.7");
    assert_int_equal(parse("top --interval 5", &line), COMMAND_LINE_RUN);
    assert_int_equal(line.interval_s, 5);
    assert_int_equal(parse("log turn debug", &line), COMMAND_LINE_RUN);
    assert_string_equal(line.arguments[0], "turn");
    assert_string_equal(line.arguments[1], "debug");
}

static void says_what_is_wrong(void **state)
{
    static const char *const lines[][2] = {
        {"", "a command is missing"},
        {"statistics", "there is no command statistics"},
        {"status now", "unexpected argument now"},
        {"show", "an ID is missing for show"},
        {"show 1 2", "unexpected argument 2"},
        {"kill", "either an ID or --user NAME"},
        {"kill 1 --user a", "either an ID or --user NAME"},
        {"log turn", "a level is missing for turn"},
        {"log turn debug now", "unexpected argument now"},
        {"status --user alice", "status takes no --user"},
        {"show 1 --all", "show takes no --all"},
        {"top --json", "takes no --json"},
        {"users --all --limit 3", "do not go together"},
        {"--colour status", "no such option: --colour"},
        {"-x status", "no such option: -x"},
        {"status --json=3", "no such option: --json=3"},
        {"status -s", "a value is missing for -s"},
        {"status --socket", "a value is missing for --socket"},
        {"users -n 0", "--limit: '0' is not allowed; allowed: 1 to 1000000"},
        {"users -n 1000001", "--limit: '1000001' is not allowed"},
        {"users -n 5x", "--limit: '5x' is not allowed"},
        {"users -n -5", "--limit: '-5' is not allowed"},
        {"top -i 61", "--interval: '61' is not allowed; allowed: 1 to 60 seconds"},
        {"drain --deadline 366d", "--deadline: '366d' is not allowed"},
        {"drain --deadline soon", "--deadline: 'soon' is not allowed"},
    };
    struct command_line line = {.socket = "untouched"};

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(parse(lines[i][0], &line), COMMAND_LINE_WRONG);
        if (!strstr(errors, lines[i][1]))
            fail_msg("'%s': %s", lines[i][0], errors);
        assert_string_equal(output, "");
    }
    assert_string_equal(line.socket, "untouched");
}

static void says_what_there_is_and_what_it_is(void **state)
{
    struct command_line line;

    (void)state;
    assert_int_equal(parse("top --help", &line), COMMAND_LINE_DONE);
    assert_non_null(strstr(output, "\n  allocations "));
    assert_non_null(strstr(output, "\n  top "));
    assert_non_null(strstr(output, "--deadline TIME"));
    assert_int_equal(parse("-V", &line), COMMAND_LINE_DONE);
    assert_int_equal(strncmp(output, "turnpike-ctl ", 13), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(takes_every_command, forget),
        cmocka_unit_test_teardown(takes_options_before_and_behind_the_command, forget),
        cmocka_unit_test_teardown(says_what_is_wrong, forget),
        cmocka_unit_test_teardown(says_what_there_is_and_what_it_is, forget),
    };

    return cmocka_run_group_tests_name("ctl/command_line", tests, NULL, NULL);
}
