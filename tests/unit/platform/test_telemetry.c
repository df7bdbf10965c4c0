// SPDX-License-Identifier: BSD-3-Clause
// Claims about questions and who waits for their answers. DPDK's data is the test's own: text.
#include "platform/telemetry.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rte_telemetry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct rte_tel_data {
    char text[512];
    struct rte_tel_data *sets[4];
    unsigned set_count;
};

static telemetry_cb registered;
static unsigned registered_count;
static bool lacks_memory;

int rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help)
{
    (void)help;
    registered = fn;
    registered_count++;
    return cmd[0] == '/' ? 0 : -EINVAL;
}

struct rte_tel_data *rte_tel_data_alloc(void)
{
    return lacks_memory ? NULL : calloc(1, sizeof(struct rte_tel_data));
}

void rte_tel_data_free(struct rte_tel_data *data)
{
    free(data);
}

int rte_tel_data_start_dict(struct rte_tel_data *data)
{
    memset(data, 0, sizeof(*data));
    return 0;
}

static void append(struct rte_tel_data *data, const char *name, const char *value)
{
    size_t len = strlen(data->text);

    snprintf(data->text + len, sizeof(data->text) - len, "%s=%s;", name, value);
}

int rte_tel_data_add_dict_string(struct rte_tel_data *data, const char *name, const char *value)
{
    append(data, name, value);
    return 0;
}

int rte_tel_data_add_dict_u64(struct rte_tel_data *data, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    append(data, name, text);
    return 0;
}

int rte_tel_data_add_dict_container(struct rte_tel_data *data, const char *name,
                                    struct rte_tel_data *value, int keep)
{
    assert_false(keep);
    append(data, name, "set");
    data->sets[data->set_count++] = value;
    return 0;
}

struct fixture {
    int fd;
};

struct asker {
    const char *command;
    const char *parameters;
    struct rte_tel_data data;
    pthread_t thread;
};

static void *run_asker(void *context)
{
    struct asker *asker = context;

    assert_int_equal(registered(asker->command, asker->parameters, &asker->data), 0);
    return NULL;
}

static void start(struct asker *asker)
{
    assert_int_equal(pthread_create(&asker->thread, NULL, run_asker, asker), 0);
}

static void finish(struct asker *asker)
{
    pthread_join(asker->thread, NULL);
    for (unsigned i = 0; i < asker->data.set_count; i++)
        free(asker->data.sets[i]);
}

static int set_up(void **state)
{
    static const struct telemetry_command commands[] = {
        {"/one", "the first"}, {"/two", "the second"}, {}};
    static struct fixture fixture;

    registered_count = 0;
    lacks_memory = false;
    *state = &fixture;
    return telemetry_open(commands, &fixture.fd);
}

static int tear_down(void **state)
{
    (void)state;
    telemetry_close();
    return 0;
}

static bool wait_for_question(const struct fixture *fixture, struct telemetry_question *question)
{
    struct pollfd poll_fd = {.fd = fixture->fd, .events = POLLIN};

    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    return telemetry_take(question);
}

static void a_question_gets_its_answer(void **state)
{
    struct asker asker = {.command = "/one", .parameters = "a=1,b"};
    static struct telemetry_answer answer;
    struct telemetry_question question;

    assert_int_equal(registered_count, 2);
    assert_false(telemetry_take(&question));
    start(&asker);
    assert_true(wait_for_question(*state, &question));
    assert_string_equal(question.command, "/one");
    assert_string_equal(question.parameters, "a=1,b");
    assert_true(telemetry_is_awaited());
    telemetry_answer_reset(&answer);
    telemetry_answer_number(&answer, "n", 7);
    telemetry_answer_open(&answer, "inner");
    telemetry_answer_text(&answer, "t", "x");
    telemetry_answer_close(&answer);
    telemetry_reply(&answer);
    pthread_join(asker.thread, NULL);
    assert_string_equal(asker.data.text, "n=7;inner=set;");
    assert_string_equal(asker.data.sets[0]->text, "t=x;");
    free(asker.data.sets[0]);
}

static void questions_without_parameters_have_empty_ones(void **state)
{
    struct asker asker = {.command = "/two"};
    static struct telemetry_answer answer;
    struct telemetry_question question;

    start(&asker);
    assert_true(wait_for_question(*state, &question));
    assert_string_equal(question.parameters, "");
    telemetry_answer_reset(&answer);
    telemetry_reply(&answer);
    finish(&asker);
    assert_string_equal(asker.data.text, "");
}

static void askers_are_answered_one_after_the_other(void **state)
{
    struct asker askers[8];
    static struct telemetry_answer answer;

    for (unsigned i = 0; i < 8; i++) {
        askers[i] = (struct asker){.command = "/one", .parameters = &"abcdefgh"[i]};
        start(&askers[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        struct telemetry_question question;

        assert_true(wait_for_question(*state, &question));
        telemetry_answer_reset(&answer);
        telemetry_answer_text(&answer, "echo", question.parameters);
        telemetry_reply(&answer);
    }
    for (unsigned i = 0; i < 8; i++) {
        char expected[32];

        finish(&askers[i]);
        snprintf(expected, sizeof(expected), "echo=%s;", askers[i].parameters);
        assert_string_equal(askers[i].data.text, expected);
    }
}

static void who_gets_no_answer_is_told_and_the_next_one_gets_one(void **state)
{
    struct asker patient = {.command = "/one"}, next = {.command = "/two"};
    static struct telemetry_answer answer;
    struct telemetry_question question;

    start(&patient);
    assert_true(wait_for_question(*state, &question));
    finish(&patient);
    assert_string_equal(patient.data.text,
                        "error=the control thread did not answer within a second;");
    assert_false(telemetry_is_awaited());
    telemetry_answer_reset(&answer);
    telemetry_answer_number(&answer, "late", 1);
    telemetry_reply(&answer);
    start(&next);
    assert_true(wait_for_question(*state, &question));
    assert_string_equal(question.command, "/two");
    telemetry_answer_reset(&answer);
    telemetry_answer_number(&answer, "good", 1);
    telemetry_reply(&answer);
    finish(&next);
    assert_string_equal(next.data.text, "good=1;");
}

static void a_question_that_nobody_took_up_is_gone_with_its_asker(void **state)
{
    struct asker asker = {.command = "/one"};
    struct telemetry_question question;

    start(&asker);
    finish(&asker);
    assert_non_null(strstr(asker.data.text, "did not answer"));
    assert_false(wait_for_question(*state, &question));
}

static void whoever_waits_when_the_relay_stops_is_told_so(void **state)
{
    struct asker asker = {.command = "/one"}, late = {.command = "/one"};
    struct telemetry_question question;

    start(&asker);
    assert_true(wait_for_question(*state, &question));
    telemetry_close();
    finish(&asker);
    assert_string_equal(asker.data.text, "error=the relay is stopping;");
    start(&late);
    finish(&late);
    assert_string_equal(late.data.text, "error=the relay is stopping;");
}

static void long_questions_are_refused_for_they_may_have_been_cut(void **state)
{
    static char parameters[TELEMETRY_QUESTION_LEN];
    struct asker asker = {.command = "/one", .parameters = parameters};

    (void)state;
    memset(parameters, 'x', TELEMETRY_QUESTION_LEN - strlen("/one,"));
    start(&asker);
    finish(&asker);
    assert_non_null(strstr(asker.data.text, "too long"));
}

static void want_of_memory_is_said(void **state)
{
    struct asker asker = {.command = "/one"};
    static struct telemetry_answer answer;
    struct telemetry_question question;

    lacks_memory = true;
    start(&asker);
    assert_true(wait_for_question(*state, &question));
    telemetry_answer_reset(&answer);
    telemetry_answer_number(&answer, "n", 1);
    telemetry_answer_open(&answer, "inner");
    telemetry_answer_close(&answer);
    telemetry_reply(&answer);
    finish(&asker);
    assert_string_equal(asker.data.text, "n=1;cut=1;");
}

static void *cut_up(void *context)
{
    char text[] = "x,y,z";

    (void)context;
    assert_string_equal(strtok(text, ","), "x");
    return NULL;
}

static void each_thread_cuts_up_its_own_text(void **state)
{
    char text[] = "a,b";
    pthread_t thread;

    (void)state;
    assert_string_equal(strtok(text, ","), "a");
    assert_int_equal(pthread_create(&thread, NULL, cut_up, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(strtok(NULL, ""), "b");
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_gets_its_answer),
        TEST(questions_without_parameters_have_empty_ones),
        TEST(askers_are_answered_one_after_the_other),
        TEST(who_gets_no_answer_is_told_and_the_next_one_gets_one),
        TEST(a_question_that_nobody_took_up_is_gone_with_its_asker),
        cmocka_unit_test_setup(whoever_waits_when_the_relay_stops_is_told_so, set_up),
        TEST(long_questions_are_refused_for_they_may_have_been_cut),
        TEST(want_of_memory_is_said),
        TEST(each_thread_cuts_up_its_own_text),
    };

    return cmocka_run_group_tests_name("platform/telemetry", tests, NULL, NULL);
}
