// SPDX-License-Identifier: BSD-3-Clause
// Claims about a connection to whoever listens at the telemetry socket.
#include "ctl/connection.h"

#include "relay_fixture.h"
#include "support.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Longer than anything here takes, and never waited for but where nobody answers.
#define TIMEOUT_MS 20000

static struct problem problem;

static enum ctl_status ask(struct fake_relay *relay, int timeout_ms, char *ret_text,
                           size_t *ret_len)
{
    struct connection *connection;
    struct question question;
    enum ctl_status status;
    const char *text;

    fake_relay_start(relay);
    question_init(&question, "/turnpike/status");
    assert_int_equal(connection_open(relay->path, TIMEOUT_MS, &connection, &problem), CTL_DONE);
    status = connection_ask(connection, &question, timeout_ms, &text, ret_len, &problem);
    if (status == CTL_DONE)
        memcpy(ret_text, text, *ret_len + 1);
    connection_close(connection);
    fake_relay_stop(relay);
    return status;
}

static void gives_the_answer_behind_the_greeting(void **state)
{
    static const struct fake_answer answers[] = {{"/turnpike/status", "{\"x\": 1}", 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    char text[64];
    size_t len;

    (void)state;
    assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_DONE);
    assert_int_equal(len, 8);
    assert_string_equal(text, "{\"x\": 1}");
    assert_string_equal(relay.asked[0], "/turnpike/status");
}

static void takes_an_answer_of_just_the_length_announced(void **state)
{
    static char packet[16384], text[sizeof(packet) + 1];
    const struct fake_answer answers[] = {{"/turnpike/status", packet, sizeof(packet)}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    size_t len;

    (void)state;
    memset(packet, 'a', sizeof(packet));
    assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_DONE);
    assert_int_equal(len, sizeof(packet));
}

static void refuses_an_answer_that_is_longer_than_announced(void **state)
{
    static char packet[16385], text[1];
    const struct fake_answer answers[] = {{"/turnpike/status", packet, sizeof(packet)}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    size_t len;

    (void)state;
    memset(packet, 'a', sizeof(packet));
    assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_GARBLED);
    assert_string_equal(problem.text,
                        "an answer of 16385 bytes, where at most 16384 were announced");
}

static void refuses_who_does_not_greet_as_dpdk_does(void **state)
{
    static const char *const greetings[] = {
        "SSH-2.0-OpenSSH",
        "{}",
        "[]",
        "{\"max_output_len\": 0}",
        "{\"max_output_len\": -1}",
        "{\"max_output_len\": \"16384\"}",
        "{\"max_output_len\": 1000000000000}",
        "{\"max_output_len\": 16384",
    };
    char text[1];
    size_t len;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(greetings); i++) {
        struct fake_relay relay = {.greeting = greetings[i]};

        assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_GARBLED);
        assert_int_equal(atomic_load(&relay.asked_count), 0);
    }
}

static void says_when_there_is_no_room_for_one_more(void **state)
{
    struct fake_relay relay = {.greeting = NULL};
    char text[1];
    size_t len;

    (void)state;
    assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_UNREACHABLE);
    assert_non_null(strstr(problem.text, "ten connections"));
}

static void says_when_the_relay_goes_away(void **state)
{
    static const struct fake_answer answers[] = {{"/turnpike/status", NULL, 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    char text[1];
    size_t len;

    (void)state;
    assert_int_equal(ask(&relay, TIMEOUT_MS, text, &len), CTL_UNREACHABLE);
    assert_string_equal(problem.text, "the relay has gone away");
}

static void does_not_wait_for_ever(void **state)
{
    static const struct fake_answer answers[] = {{"/turnpike/status", "", 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    char text[1];
    size_t len;

    (void)state;
    assert_int_equal(ask(&relay, 50, text, &len), CTL_UNREACHABLE);
    assert_non_null(strstr(problem.text, "does not answer"));
}

static void expect_refusal(const char *path, const char *said)
{
    struct connection *connection;

    assert_int_equal(connection_open(path, 0, &connection, &problem), CTL_UNREACHABLE);
    assert_non_null(strstr(problem.text, path));
    assert_non_null(strstr(problem.text, said));
}

static void says_what_to_do_when_there_is_no_socket(void **state)
{
    (void)state;
    expect_refusal("/nonexistent/socket", "is the relay running?");
}

static void says_when_nobody_listens_any_more(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/turnpike-ctl-%d", getpid());
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    close(descriptor);
    expect_refusal(address.sun_path, "nobody listens");
    unlink(address.sun_path);
}

static void says_when_a_socket_is_of_another_kind(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/turnpike-ctl-%d", getpid());
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    expect_refusal(address.sun_path, "no telemetry socket");
    close(descriptor);
    unlink(address.sun_path);
}

static void refuses_a_path_that_no_socket_has(void **state)
{
    struct connection *connection;
    char path[200];

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(connection_open(path, 0, &connection, &problem), CTL_USAGE);
    connection_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_answer_behind_the_greeting),
        cmocka_unit_test(takes_an_answer_of_just_the_length_announced),
        cmocka_unit_test(refuses_an_answer_that_is_longer_than_announced),
        cmocka_unit_test(refuses_who_does_not_greet_as_dpdk_does),
        cmocka_unit_test(says_when_there_is_no_room_for_one_more),
        cmocka_unit_test(says_when_the_relay_goes_away),
        cmocka_unit_test(does_not_wait_for_ever),
        cmocka_unit_test(says_what_to_do_when_there_is_no_socket),
        cmocka_unit_test(says_when_nobody_listens_any_more),
        cmocka_unit_test(says_when_a_socket_is_of_another_kind),
        cmocka_unit_test(refuses_a_path_that_no_socket_has),
    };

    return cmocka_run_group_tests_name("ctl/connection", tests, NULL, NULL);
}
