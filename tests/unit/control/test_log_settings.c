// SPDX-License-Identifier: BSD-3-Clause
// control/log_settings.h.
#include "control/log_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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
    assert_int_equal(log_settings_open(&settings), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subsystem_has_its_level_or_that_of_all),
        cmocka_unit_test(what_is_applied_again_is_as_the_file_says),
        cmocka_unit_test(the_rate_counts_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
