// SPDX-License-Identifier: BSD-3-Clause
// Claims about what operators' orders come to. Whoever carries them out is a fake.
#include "control/orders.h"

#include "answer_text.h"
#include "base/log.h"
#include "control/drain.h"
#include "control/loop.h"
#include "control/reload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct drain_view drain;
static int drain_result;
static uint32_t deadline_s;
static bool has_alternates;

int drain_begin(struct drain *asked, uint32_t seconds, const struct turn_alternates *alternates)
{
    (void)asked;
    deadline_s = seconds;
    has_alternates = alternates != NULL;
    drain.is_draining |= drain_result == 0;
    return drain_result;
}

int drain_end(struct drain *asked)
{
    (void)asked;
    drain.is_draining &= drain_result != 0;
    return drain_result;
}

int drain_add_alternate(const char *text, struct turn_alternates *alternates)
{
    (void)alternates;
    return strcmp(text, "192.0.2.7") == 0 ? 0 : -EINVAL;
}

void drain_get_view(const struct drain *asked, struct drain_view *ret_view)
{
    (void)asked;
    *ret_view = drain;
}

static struct reload_history history;
static unsigned reloads_wanted;

void loop_reload(struct loop *loop)
{
    (void)loop;
    reloads_wanted++;
}

const struct reload_history *reload_get_history(const struct reload *reload)
{
    (void)reload;
    return &history;
}

static const struct questions_config config;
static struct question question = {.config = &config};

static bool ask(const char *parameters, const char *const *keys, bool (*begin)(struct question *))
{
    telemetry_answer_reset(&question.answer);
    question.asked_ms = question.now_ms = 1000;
    question.walk = (struct question_walk){};
    return parameters_parse(parameters, keys, &question.parameters, &question.answer) &&
           begin(&question);
}

static void assert_said(const char *expected)
{
    assert_string_equal(answer_text(&question.answer), expected);
}

static int set_up(void **state)
{
    (void)state;
    drain = (struct drain_view){.allocations = 3};
    drain_result = 0;
    deadline_s = 0;
    has_alternates = false;
    history = (struct reload_history){.taken_count = 5, .refused_count = 3};
    reloads_wanted = 0;
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static void a_drain_goes_by_the_settings_unless_told_otherwise(void **state)
{
    (void)state;
    assert_false(ask("", orders_drain_keys, orders_drain));
    assert_int_equal(deadline_s, DRAIN_DEADLINE_OF_SETTINGS);
    assert_false(has_alternates);
    assert_said("state=draining;allocations=3;");
    drain.has_deadline = true;
    drain.left_s = 600;
    assert_false(ask("deadline=600,to=192.0.2.7", orders_drain_keys, orders_drain));
    assert_int_equal(deadline_s, 600);
    assert_true(has_alternates);
    assert_said("state=draining;allocations=3;drain_deadline_seconds=600;");
}

static void a_drain_is_refused_that_cannot_be_meant(void **state)
{
    (void)state;
    ask("deadline=soon", orders_drain_keys, orders_drain);
    assert_said("error=deadline: no such number: soon;allowed=0 to 604800;");
    ask("to=nowhere", orders_drain_keys, orders_drain);
    assert_said("error=to: not a server's address: nowhere;"
                "allowed=ADDRESS, IPV4:PORT or [IPV6]:PORT;");
    assert_false(drain.is_draining);
}

static void a_drain_is_undone(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    drain.is_draining = true;
    ask("", none, orders_undrain);
    assert_said("state=running;allocations=3;");
    drain_result = -EALREADY;
    ask("", none, orders_undrain);
    assert_said("error=the relay does not drain;");
}

static void after_the_deadline_nothing_is_changed(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    drain_result = -EBUSY;
    ask("", orders_drain_keys, orders_drain);
    assert_said("error=the deadline is over: allocations are being ended;");
    ask("", none, orders_undrain);
    assert_said("error=the deadline is over: allocations are being ended;");
}

static void levels_are_said_and_set(void **state)
{
    (void)state;
    ask("", orders_log_keys, orders_log);
    assert_said("levels={relay=info;sessions=info;logins=info;clients=info;network=info;}");
    ask("sessions=debug,network=error", orders_log_keys, orders_log);
    assert_said("levels={relay=info;sessions=debug;logins=info;clients=info;network=error;}");
    ask("warning", orders_log_keys, orders_log);
    assert_said("levels={relay=warning;sessions=warning;logins=warning;clients=warning;"
                "network=warning;}");
}

// Or a subsystem that comes later could not be set.
static void each_subsystem_has_a_key(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOG_SUBSYSTEM_COUNT; i++)
        assert_string_equal(orders_log_keys[i + 1], log_subsystem_name((enum log_subsystem)i));
    assert_null(orders_log_keys[LOG_SUBSYSTEM_COUNT + 1]);
    assert_true(LOG_SUBSYSTEM_COUNT + 1 <= PARAMETERS_MAX);
}

static void of_several_levels_all_are_set_or_none(void **state)
{
    (void)state;
    ask("relay=debug,network=loud", orders_log_keys, orders_log);
    assert_said("error=network: no such level: loud;allowed=error, warning, info, debug;");
    assert_int_equal(log_subsystem_level(LOG_RELAY), LOG_LEVEL_INFO);
}

static const char *const none[] = {NULL};

static void a_reload_is_waited_for(void **state)
{
    (void)state;
    assert_true(ask("", none, orders_reload));
    assert_true(orders_reload_step(&question));
    assert_int_equal(reloads_wanted, 1);
    history.taken_count++;
    assert_false(orders_reload_step(&question));
    assert_said("reload=done;");
}

static void a_reload_that_was_refused_is_said_to_be(void **state)
{
    (void)state;
    assert_true(ask("", none, orders_reload));
    history.refused_count++;
    history.last_was_refused = true;
    assert_false(orders_reload_step(&question));
    assert_non_null(strstr(answer_text(&question.answer), "error=the configuration is not good"));
}

static void a_reload_that_waits_long_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(ask("", none, orders_reload));
    question.now_ms += QUESTION_PATIENCE_MS;
    assert_false(orders_reload_step(&question));
    assert_said("reload=waits for workers;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_drain_goes_by_the_settings_unless_told_otherwise, set_up),
        cmocka_unit_test_setup(a_drain_is_refused_that_cannot_be_meant, set_up),
        cmocka_unit_test_setup(a_drain_is_undone, set_up),
        cmocka_unit_test_setup(after_the_deadline_nothing_is_changed, set_up),
        cmocka_unit_test_setup(levels_are_said_and_set, set_up),
        cmocka_unit_test_setup(each_subsystem_has_a_key, set_up),
        cmocka_unit_test_setup(of_several_levels_all_are_set_or_none, set_up),
        cmocka_unit_test_setup(a_reload_is_waited_for, set_up),
        cmocka_unit_test_setup(a_reload_that_was_refused_is_said_to_be, set_up),
        cmocka_unit_test_setup(a_reload_that_waits_long_is_not_waited_for, set_up),
    };

    return cmocka_run_group_tests_name("control/orders", tests, NULL, NULL);
}
