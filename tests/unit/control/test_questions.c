// SPDX-License-Identifier: BSD-3-Clause
// Claims about how questions get to those who answer them. The mailbox and they are fakes.
#include "control/questions.h"

#include "answer_text.h"
#include "control/killing.h"
#include "control/orders.h"
#include "control/overview.h"
#include "control/sessions.h"
#include "control/top_talkers.h"
#include "control/user_list.h"
#include "platform/telemetry.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static int fd;
static bool is_asked;
static struct telemetry_question asked;
static char replied[4096];
static unsigned command_count;

int telemetry_open(const struct telemetry_command *commands, int *ret_fd)
{
    for (command_count = 0; commands[command_count].name; command_count++) {
        assert_int_equal(strncmp(commands[command_count].name, "/turnpike/", 10), 0);
        assert_true(strlen(commands[command_count].name) < TELEMETRY_COMMAND_LEN);
        assert_true(strlen(commands[command_count].help) < 128);
    }
    *ret_fd = fd = eventfd(0, EFD_NONBLOCK);
    return 0;
}

void telemetry_close(void)
{
    close(fd);
}

bool telemetry_take(struct telemetry_question *ret_question)
{
    bool was_asked = is_asked;
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
    *ret_question = asked;
    is_asked = false;
    return was_asked;
}

void telemetry_reply(const struct telemetry_answer *answer)
{
    snprintf(replied, sizeof(replied), "%s", answer_text(answer));
}

bool overview_status(struct question *question)
{
    telemetry_answer_number(&question->answer, "workers",
                            question->config->sources.plane->config.worker_count);
    return false;
}

bool overview_workers(struct question *question)
{
    telemetry_answer_number(&question->answer, "workers", 1);
    return false;
}

bool overview_ports(struct question *question)
{
    telemetry_answer_number(&question->answer, "ports", 1);
    return false;
}

bool overview_quotas(struct question *question)
{
    (void)question;
    return false;
}

bool overview_drops(struct question *question)
{
    telemetry_answer_number(&question->answer, "drops", 1);
    return false;
}

bool sessions_list(struct question *question)
{
    (void)question;
    return false;
}

bool sessions_list_step(struct question *question)
{
    (void)question;
    return false;
}

bool sessions_show(struct question *question)
{
    (void)question;
    return false;
}

bool killing_begin(struct question *question)
{
    (void)question;
    return false;
}

bool killing_step(struct question *question)
{
    (void)question;
    return false;
}

bool user_list(struct question *question)
{
    (void)question;
    return false;
}

bool user_list_step(struct question *question)
{
    (void)question;
    return false;
}

bool top_talkers(struct question *question)
{
    (void)question;
    return true;
}

bool orders_drain(struct question *question)
{
    (void)question;
    return false;
}

bool orders_undrain(struct question *question)
{
    (void)question;
    return false;
}

bool orders_log(struct question *question)
{
    (void)question;
    return false;
}

bool orders_reload(struct question *question)
{
    (void)question;
    return false;
}

bool orders_reload_step(struct question *question)
{
    (void)question;
    return false;
}

// Takes three steps, and says so.
bool top_talkers_step(struct question *question)
{
    if (++question->walk.count < 3)
        return true;
    telemetry_answer_number(&question->answer, "steps", question->walk.count);
    return false;
}

void top_talkers_done(struct question *question)
{
    (void)question;
}

const char *const sessions_list_keys[] = {"a", NULL};
const char *const sessions_show_keys[] = {"b", NULL};
const char *const killing_keys[] = {"c", NULL};
const char *const user_list_keys[] = {"d", NULL};
const char *const orders_drain_keys[] = {"f", NULL};
const char *const orders_log_keys[] = {"g", NULL};
const char *const top_talkers_keys[] = {"e", NULL};

struct fixture {
    struct event_base *base;
    struct questions *questions;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    static const struct plane plane = {.config.worker_count = 7};
    struct questions_config config = {.sources.plane = &plane};

    replied[0] = '\0';
    fixture.base = config.base = event_base_new();
    *state = &fixture;
    return questions_create(&config, &fixture.questions);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    questions_destroy(fixture->questions);
    event_base_free(fixture->base);
    return 0;
}

static const char *ask(const struct fixture *fixture, const char *command, const char *parameters)
{
    static const uint64_t one = 1;

    snprintf(asked.command, sizeof(asked.command), "%s", command);
    snprintf(asked.parameters, sizeof(asked.parameters), "%s", parameters);
    is_asked = true;
    replied[0] = '\0';
    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
    for (unsigned i = 0; i < 100 && *replied == '\0'; i++)
        event_base_loop(fixture->base, EVLOOP_ONCE);
    return replied;
}

static void each_command_is_told_to_dpdk(void **state)
{
    (void)state;
    assert_true(command_count >= 4);
}

static void a_question_is_answered(void **state)
{
    assert_string_equal(ask(*state, "/turnpike/status", ""), "workers=7;");
    assert_string_equal(ask(*state, "/turnpike/status", ""), "workers=7;");
}

static void bad_parameters_are_refused_before_anybody_answers(void **state)
{
    assert_string_equal(ask(*state, "/turnpike/status", "a=1"),
                        "error=unknown parameter: a;allowed=nothing;");
}

static void what_takes_longer_is_gone_on_with(void **state)
{
    assert_string_equal(ask(*state, "/turnpike/top", ""), "steps=3;");
    assert_string_equal(ask(*state, "/turnpike/top", ""), "steps=3;");
}

static void who_has_gone_meanwhile_gets_no_answer(void **state)
{
    static const uint64_t one = 1;
    struct fixture *fixture = *state;

    is_asked = false;
    assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
    event_base_loop(fixture->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_string_equal(replied, "");
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_command_is_told_to_dpdk),
        TEST(a_question_is_answered),
        TEST(bad_parameters_are_refused_before_anybody_answers),
        TEST(what_takes_longer_is_gone_on_with),
        TEST(who_has_gone_meanwhile_gets_no_answer),
    };

    return cmocka_run_group_tests_name("control/questions", tests, NULL, NULL);
}
