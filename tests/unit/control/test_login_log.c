// SPDX-License-Identifier: BSD-3-Clause
// control/login_log.h. The line goes to a pipe in place of stderr.
#include "control/login_log.h"

#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];
static struct turn_packet packet;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    packet.five_tuple.transport = FIVE_TUPLE_TLS;
    packet.five_tuple.client.port = 5000;
    return ip_address_parse("2001:db8::7", &packet.five_tuple.client.ip);
}

// Without its time.
static const char *line_of(enum credentials_verdict verdict, const char *user, size_t len)
{
    const struct turn_output output = {.login = verdict,
                                       .login_user = {(const uint8_t *)user, len}};
    static char text[1024];
    int stderr_fd = dup(STDERR_FILENO);
    ssize_t got;

    dup2(pipe_fds[1], STDERR_FILENO);
    login_log_refused(&packet, &output);
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    got = read(pipe_fds[0], text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? strchr(text, ' ') + 1 : "";
}

static void says_who_from_where_and_why(void **state)
{
    (void)state;
    assert_string_equal(line_of(CREDENTIALS_WRONG, "alice", 5),
                        "warning login_refused client=2001:db8::7 port=5000 transport=tls "
                        "reason=wrong_password user=alice\n");
    assert_string_equal(line_of(CREDENTIALS_UNKNOWN_USER, "mallory", 7),
                        "warning login_refused client=2001:db8::7 port=5000 transport=tls "
                        "reason=unknown_user user=mallory\n");
    assert_string_equal(line_of(CREDENTIALS_OTHER_REALM, "", 0),
                        "warning login_refused client=2001:db8::7 port=5000 transport=tls "
                        "reason=other_realm\n");
    assert_string_equal(line_of(CREDENTIALS_EXPIRED, "1:bob", 5),
                        "info login_refused client=2001:db8::7 port=5000 transport=tls "
                        "reason=expired user=1:bob\n");
    assert_string_equal(line_of(CREDENTIALS_OK, "alice", 5), "");
}

static void no_name_can_pass_for_another_client(void **state)
{
    static const char name[] = "x\nwarning login_refused client=192.0.2.1 \"\0\xff";

    (void)state;
    assert_string_equal(line_of(CREDENTIALS_UNKNOWN_USER, name, sizeof(name) - 1),
                        "warning login_refused client=2001:db8::7 port=5000 transport=tls "
                        "reason=unknown_user user=\"x\\nwarning login_refused client=192.0.2.1 "
                        "\\\"\\x00\\xff\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_from_where_and_why),
        cmocka_unit_test(no_name_can_pass_for_another_client),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
