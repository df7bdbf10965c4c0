// SPDX-License-Identifier: BSD-3-Clause
// Claims about the live view's beginning and end; what it shows, tests/integration/test_ctl.py
// looks at in a terminal.
#include "ctl/top.h"

#include "relay_fixture.h"
#include "support.h"

static char *errors;

static enum ctl_status run(const char *socket)
{
    const struct command_line line = {.verb = VERB_TOP, .socket = socket};
    FILE *file = fopen("/dev/null", "r+"), *errors_file;
    enum ctl_status status;
    size_t len;

    free(errors);
    errors_file = open_memstream(&errors, &len);
    status = top_run(&line, file, file, errors_file);
    fclose(errors_file);
    fclose(file);
    return status;
}

static void says_when_there_is_no_relay(void **state)
{
    (void)state;
    assert_int_equal(run("/nonexistent/socket"), CTL_UNREACHABLE);
    assert_non_null(strstr(errors, "turnpike-ctl: /nonexistent/socket: no such socket"));
}

static void says_when_there_is_no_terminal(void **state)
{
    struct fake_relay relay = {.greeting = FAKE_GREETING};

    (void)state;
    fake_relay_start(&relay);
    assert_int_equal(run(relay.path), CTL_USAGE);
    fake_relay_stop(&relay);
    assert_non_null(strstr(errors, "turnpike-ctl: top needs a terminal"));
}

static int forget(void **state)
{
    (void)state;
    free(errors);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_when_there_is_no_relay),
        cmocka_unit_test(says_when_there_is_no_terminal),
    };

    return cmocka_run_group_tests_name("ctl/top", tests, NULL, forget);
}
