// SPDX-License-Identifier: BSD-3-Clause
// Claims about where the control socket is and who may connect. DPDK's part is the test's.
#include "platform/control_socket.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char logged[512];

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    (void)level;
    assert_true(strcmp(event, "control_socket") == 0 || strcmp(event, "control_group") == 0);
    va_start(arguments, format);
    vsnprintf(logged, sizeof(logged), format, arguments);
    va_end(arguments);
}

void log_event(enum log_level level, const char *event, ...)
{
    va_list pairs;

    (void)level;
    assert_string_equal(event, "control_socket");
    va_start(pairs, event);
    assert_string_equal(va_arg(pairs, const char *), "path");
    snprintf(logged, sizeof(logged), "%s", va_arg(pairs, const char *));
    va_end(pairs);
}

static char base[] = "/tmp/turnpike-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    logged[0] = '\0';
    strcpy(base + strlen(base) - 6, "XXXXXX");
    return mkdtemp(base) ? setenv("RUNTIME_DIRECTORY", base, 1) : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command);
}

static mode_t mode_of(const char *name)
{
    char path[128];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

// As DPDK does, and with its umask.
static int make_socket(const char *name, struct sockaddr_un *ret_address)
{
    int sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    mode_t mask = umask(0077);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s/dpdk/rte/%s", base, name);
    assert_int_equal(bind(sock, (struct sockaddr *)ret_address, sizeof(*ret_address)), 0);
    assert_int_equal(listen(sock, 1), 0);
    umask(mask);
    return sock;
}

static void directories_are_nobody_elses_until_the_socket_is_there(void **state)
{
    (void)state;
    assert_true(control_socket_prepare());
    assert_int_equal(mode_of("dpdk"), 0700);
    assert_int_equal(mode_of("dpdk/rte"), 0700);
}

static void the_group_may_connect_and_nobody_else(void **state)
{
    struct sockaddr_un address;
    int sock;

    (void)state;
    assert_true(control_socket_prepare());
    sock = make_socket("dpdk_telemetry.v2:1", &address);
    assert_int_equal(mode_of("dpdk/rte/dpdk_telemetry.v2:1"), 0700);
    control_socket_grant(getegid());
    assert_string_equal(logged, address.sun_path);
    assert_int_equal(mode_of("dpdk/rte/dpdk_telemetry.v2:1"), 0660);
    assert_int_equal(mode_of("dpdk/rte"), 0750);
    assert_int_equal(mode_of("dpdk"), 0750);
    close(sock);
}

static void listeners_and_clients_are_shut_off(void **state)
{
    struct sockaddr_un address;
    int sock, client = socket(AF_UNIX, SOCK_SEQPACKET, 0), server;
    char byte;

    (void)state;
    assert_true(control_socket_prepare());
    sock = make_socket("dpdk_telemetry.v2", &address);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    server = accept(sock, NULL, NULL);
    assert_true(server >= 0);
    control_socket_close();
    assert_int_equal(read(server, &byte, 1), 0);
    assert_int_equal(accept(sock, NULL, NULL), -1);
    assert_int_equal(access(address.sun_path, F_OK), -1);
    close(server);
    close(client);
    close(sock);
}

static void other_sockets_are_left_alone(void **state)
{
    struct sockaddr_un address;
    int sock, pair[2];
    char byte = 'x';

    (void)state;
    assert_true(control_socket_prepare());
    sock = make_socket("other", &address);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    control_socket_grant(getegid());
    assert_non_null(strstr(logged, "DPDK has made none"));
    assert_int_equal(mode_of("dpdk/rte/other"), 0700);
    control_socket_close();
    assert_int_equal(write(pair[0], &byte, 1), 1);
    assert_int_equal(access(address.sun_path, F_OK), 0);
    close(pair[0]);
    close(pair[1]);
    close(sock);
}

static void does_without_where_others_could_put_a_socket_in_its_place(void **state)
{
    (void)state;
    assert_int_equal(chmod(base, 0777), 0);
    assert_false(control_socket_prepare());
    assert_non_null(strstr(logged, "there is none: "));
    control_socket_grant(getegid()); // and says no more
    assert_non_null(strstr(logged, "there is none: "));
}

static void does_without_where_a_path_is_too_long(void **state)
{
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/%0150d", base, 0);
    assert_int_equal(setenv("RUNTIME_DIRECTORY", path, 1), 0);
    assert_false(control_socket_prepare());
    assert_non_null(strstr(logged, "there is none: "));
}

static void of_several_directories_takes_the_first(void **state)
{
    char paths[200];

    (void)state;
    snprintf(paths, sizeof(paths), "%s:/nowhere/at/all", base);
    assert_int_equal(setenv("RUNTIME_DIRECTORY", paths, 1), 0);
    assert_true(control_socket_prepare());
    assert_string_equal(getenv("RUNTIME_DIRECTORY"), base);
}

static void groups_are_known_by_name(void **state)
{
    gid_t group = 4711;

    (void)state;
    assert_int_equal(control_socket_find_group("no-such-group-here", &group), -ENOENT);
    assert_int_equal(group, 4711);
    assert_non_null(strstr(logged, "no-such-group-here"));
    assert_int_equal(control_socket_find_group("", &group), 0);
    assert_int_equal(group, getegid());
    assert_int_equal(control_socket_find_group("daemon", &group), 0);
    assert_int_equal(group, getgrnam("daemon")->gr_gid);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(directories_are_nobody_elses_until_the_socket_is_there),
        TEST(the_group_may_connect_and_nobody_else),
        TEST(listeners_and_clients_are_shut_off),
        TEST(other_sockets_are_left_alone),
        TEST(does_without_where_others_could_put_a_socket_in_its_place),
        TEST(does_without_where_a_path_is_too_long),
        TEST(of_several_directories_takes_the_first),
        TEST(groups_are_known_by_name),
    };

    return cmocka_run_group_tests_name("platform/control_socket", tests, NULL, NULL);
}
