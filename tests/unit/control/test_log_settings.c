// SPDX-License-Identifier: BSD-3-Clause
// control/log_settings.h.
#include "control/log_settings.h"

#include "base/log_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_subsystem_has_its_level_or_that_of_all(void **state)
{
    const struct settings_log settings = {
        .level = LOG_LEVEL_WARNING,
        .levels = {[LOG_SESSIONS] = LOG_LEVEL_DEBUG + 1, [LOG_NETWORK] = LOG_LEVEL_ERROR + 1},
    };

    (void)state;
    log_set_level(LOG_LEVEL_INFO);
    log_settings_apply(&settings);
    assert_int_equal(log_subsystem_level(LOG_RELAY), LOG_LEVEL_WARNING);
    assert_int_equal(log_subsystem_level(LOG_SESSIONS), LOG_LEVEL_DEBUG);
    assert_int_equal(log_subsystem_level(LOG_NETWORK), LOG_LEVEL_ERROR);
    assert_int_equal(log_subsystem_level(LOG_LOGINS), LOG_LEVEL_WARNING);
}

// What somebody set meanwhile gives way to the file.
static void what_is_applied_again_is_as_the_file_says(void **state)
{
    const struct settings_log settings = {.level = LOG_LEVEL_INFO};

    (void)state;
    log_set_subsystem_level(LOG_CLIENTS, LOG_LEVEL_DEBUG);
    log_settings_apply(&settings);
    assert_int_equal(log_subsystem_level(LOG_CLIENTS), LOG_LEVEL_INFO);
}

static void the_rate_counts_from_then_on(void **state)
{
    struct settings_log settings = {.level = LOG_LEVEL_INFO, .rate = 1};
    uint64_t before = log_suppressed_count();

    (void)state;
    log_settings_open(&settings);
    // Whatever second it is, three lines are in two of them at most.
    for (unsigned i = 0; i < 3; i++)
        log_message(LOG_LEVEL_INFO, "often", "%u", i);
    assert_true(log_suppressed_count() > before);
    before = log_suppressed_count();
    settings.rate = 0;
    log_settings_apply(&settings);
    for (unsigned i = 0; i < 3; i++)
        log_message(LOG_LEVEL_INFO, "often", "%u", i);
    assert_int_equal(log_suppressed_count(), before);
}

// As in a container that has the unit's configuration and no journald.
static void where_there_is_no_daemon_lines_go_to_stderr_with_a_warning(void **state)
{
    const struct settings_log settings = {.level = LOG_LEVEL_INFO, .to = LOG_TO_JOURNAL};
    int kept = dup(STDERR_FILENO), fds[2];
    char text[1024] = "";

    (void)state;
    if (access(LOG_SINK_JOURNAL_PATH, F_OK) == 0)
        skip();
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    log_settings_open(&settings);
    log_message(LOG_LEVEL_INFO, "served", "all the same");
    dup2(kept, STDERR_FILENO);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "the journal cannot be reached: No such file or directory"));
    assert_non_null(strstr(text, "lines go to stderr"));
    assert_non_null(strstr(text, "all the same"));
    close(kept);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subsystem_has_its_level_or_that_of_all),
        cmocka_unit_test(what_is_applied_again_is_as_the_file_says),
        cmocka_unit_test(the_rate_counts_from_then_on),
        cmocka_unit_test(where_there_is_no_daemon_lines_go_to_stderr_with_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
