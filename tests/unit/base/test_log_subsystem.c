// SPDX-License-Identifier: BSD-3-Clause
// base/log_subsystem.h, and the levels that base/log.h keeps for each.
#include "base/log_subsystem.h"

#include "support.h"

static void an_event_belongs_to_one_and_the_rest_to_the_relay(void **state)
{
    (void)state;
    assert_int_equal(log_subsystem_of("accept"), LOG_CLIENTS); // the first of the table
    assert_int_equal(log_subsystem_of("certificate"), LOG_CLIENTS);
    assert_int_equal(log_subsystem_of("login_refused"), LOG_LOGINS);
    assert_int_equal(log_subsystem_of("neighbour"), LOG_NETWORK);
    assert_int_equal(log_subsystem_of("session_ended"), LOG_SESSIONS);
    assert_int_equal(log_subsystem_of("xdp_refused"), LOG_NETWORK); // the last
    assert_int_equal(log_subsystem_of("started"), LOG_RELAY);
    assert_int_equal(log_subsystem_of(""), LOG_RELAY);
}

static void each_has_a_level_of_its_own(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARNING);
    log_set_subsystem_level(LOG_SESSIONS, LOG_LEVEL_DEBUG);
    log_set_subsystem_level(LOG_NETWORK, LOG_LEVEL_ERROR);
    assert_true(log_is_wanted(LOG_LEVEL_DEBUG, "session_ended"));
    assert_false(log_is_wanted(LOG_LEVEL_WARNING, "neighbour"));
    assert_true(log_is_wanted(LOG_LEVEL_ERROR, "neighbour"));
    assert_true(log_is_wanted(LOG_LEVEL_WARNING, "started"));
    assert_false(log_is_wanted(LOG_LEVEL_INFO, "started"));
    log_set_level(LOG_LEVEL_INFO);
    for (enum log_subsystem i = 0; i < LOG_SUBSYSTEM_COUNT; i++)
        assert_int_equal(log_subsystem_level(i), LOG_LEVEL_INFO);
}

static void names_are_read_as_they_are_written(void **state)
{
    enum log_subsystem subsystem;
    enum log_level level;

    (void)state;
    for (enum log_subsystem i = 0; i < LOG_SUBSYSTEM_COUNT; i++) {
        assert_true(log_subsystem_parse(log_subsystem_name(i), &subsystem));
        assert_int_equal(subsystem, i);
    }
    for (enum log_level i = 0; i < LOG_LEVEL_COUNT; i++) {
        assert_true(log_level_parse(log_level_name(i), &level));
        assert_int_equal(level, i);
    }
    assert_false(log_subsystem_parse("Relay", &subsystem));
    assert_false(log_level_parse("", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_belongs_to_one_and_the_rest_to_the_relay),
        cmocka_unit_test(each_has_a_level_of_its_own),
        cmocka_unit_test(names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
