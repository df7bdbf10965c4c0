// SPDX-License-Identifier: BSD-3-Clause
// Claims about which allocations end, and when that has to wait.
#include "control/killing.h"

#include "answer_text.h"
#include "base/log.h"
#include "control/forwarder.h"
#include "control/tcp_relay.h"
#include "session_fakes.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned room; // in the workers' rings
static unsigned carried_out, carried_out_tcp;
static char logged[256];

void turn_server_end(struct turn_server *server, uint32_t allocation, enum turn_end end,
                     struct turn_output *output)
{
    (void)server;
    assert_int_equal(end, TURN_END_KILLED);
    assert_non_null(fakes[allocation].user);
    fakes[allocation].user = NULL;
    output->started_id = allocation;
}

bool forwarder_is_ready(struct forwarder *forwarder)
{
    (void)forwarder;
    return room > 0;
}

void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt)
{
    (void)forwarder;
    assert_null(punt);
    assert_null(fakes[output->started_id].user);
    carried_out++;
    room--;
}

void tcp_relay_carry_out(struct tcp_relay *relay, const struct turn_output *output,
                         const struct client_key *gone)
{
    (void)output;
    assert_non_null(relay);
    assert_null(gone);
    carried_out_tcp++;
}

void log_event(enum log_level level, const char *event, ...)
{
    size_t len = (size_t)sprintf(logged, "%s", event);
    const char *text;
    va_list pairs;

    assert_int_equal(level, LOG_LEVEL_INFO);
    va_start(pairs, event);
    while ((text = va_arg(pairs, const char *)))
        len += (size_t)sprintf(logged + len, " %s", text);
    va_end(pairs);
}

static struct questions_config config = {.traffic = fake_traffic};
static struct question question = {.config = &config};

static unsigned kill_what(const char *parameters)
{
    return fakes_ask(&question, parameters, killing_keys, killing_begin, killing_step);
}

static unsigned count_left(void)
{
    unsigned left = 0;

    for (uint32_t id = 0; id < fake_id_count; id++)
        left += fakes[id].user != NULL;
    return left;
}

static int set_up(void **state)
{
    (void)state;
    fakes_set_up(100);
    for (uint32_t id = 0; id < 100; id += 2)
        fakes[id].user = "bob";
    room = 1000;
    carried_out = carried_out_tcp = 0;
    logged[0] = '\0';
    config.tcp_relay = NULL;
    return 0;
}

static void one_session_is_ended_and_said_to_be(void **state)
{
    (void)state;
    kill_what("session=0000000700000005");
    assert_string_equal(answer_text(&question.answer), "killed=1;");
    assert_string_equal(logged, "kill session 0000000700000005");
    assert_null(fakes[5].user);
    assert_int_equal(count_left(), 99);
    assert_int_equal(carried_out, 1);
}

static void all_of_a_user_are_ended_and_nobody_elses(void **state)
{
    (void)state;
    config.tcp_relay = (struct tcp_relay *)&config;
    kill_what("user=bob");
    assert_string_equal(answer_text(&question.answer), "killed=50;");
    assert_string_equal(logged, "kill user bob count 50");
    assert_int_equal(count_left(), 50);
    for (uint32_t id = 1; id < 100; id += 2)
        assert_string_equal(fakes[id].user, "alice");
    assert_int_equal(carried_out, 50);
    assert_int_equal(carried_out_tcp, 50);
}

static void what_the_rings_have_no_room_for_waits(void **state)
{
    (void)state;
    room = 0;
    question.walk = (struct question_walk){};
    question.asked_ms = question.now_ms = fake_now_ms;
    telemetry_answer_reset(&question.answer);
    assert_true(parameters_parse("user=bob", killing_keys, &question.parameters, &question.answer));
    assert_true(killing_begin(&question));
    room = 20;
    assert_true(killing_step(&question));
    assert_int_equal(carried_out, 20);
    room = 100;
    assert_false(killing_step(&question));
    assert_string_equal(answer_text(&question.answer), "killed=50;");
}

static void a_session_that_ends_while_it_waits_is_not_anothers(void **state)
{
    (void)state;
    room = 0;
    question.walk = (struct question_walk){};
    question.asked_ms = question.now_ms = fake_now_ms;
    telemetry_answer_reset(&question.answer);
    assert_true(
        parameters_parse("0000000700000005", killing_keys, &question.parameters, &question.answer));
    assert_true(killing_begin(&question));
    fakes[5].user = NULL;
    room = 1;
    assert_false(killing_step(&question));
    assert_string_equal(answer_text(&question.answer),
                        "error=there is no such session: 0000000700000005;");
    assert_int_equal(carried_out, 0);
}

static void says_when_it_has_not_ended_all_in_time(void **state)
{
    (void)state;
    fake_clock_step = QUESTION_PATIENCE_MS;
    room = 10;
    question.walk = (struct question_walk){};
    question.asked_ms = fake_now_ms;
    telemetry_answer_reset(&question.answer);
    assert_true(parameters_parse("user=bob", killing_keys, &question.parameters, &question.answer));
    question.now_ms = question.asked_ms + QUESTION_PATIENCE_MS;
    assert_false(killing_begin(&question));
    assert_string_equal(answer_text(&question.answer), "killed=10;more=1;");
}

static void either_a_session_or_a_user_is_killed(void **state)
{
    static const char *const wrong[] = {"", "session=0000000700000005,user=bob", "session=7",
                                        "client=1", "0000000700000400"};

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        kill_what(wrong[i]);
        assert_int_equal(strncmp(answer_text(&question.answer), "error=", 6), 0);
    }
    assert_int_equal(count_left(), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_session_is_ended_and_said_to_be, set_up),
        cmocka_unit_test_setup(all_of_a_user_are_ended_and_nobody_elses, set_up),
        cmocka_unit_test_setup(what_the_rings_have_no_room_for_waits, set_up),
        cmocka_unit_test_setup(a_session_that_ends_while_it_waits_is_not_anothers, set_up),
        cmocka_unit_test_setup(says_when_it_has_not_ended_all_in_time, set_up),
        cmocka_unit_test_setup(either_a_session_or_a_user_is_killed, set_up),
    };

    return cmocka_run_group_tests_name("control/killing", tests, NULL, NULL);
}
