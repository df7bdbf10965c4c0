// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a service manager hears, at a socket as systemd's.
#include "control/service_manager.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static int fd;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    // In the abstract namespace: no file is left behind.
    int len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "turnpike-test-%d", getpid());
    char path[sizeof(name.sun_path) + 1];

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(path, sizeof(path), "@%s", name.sun_path + 1);
    *state = &fd;
    return fd < 0 || setenv("NOTIFY_SOCKET", path, 1) < 0
               ? -1
               : bind(fd, (struct sockaddr *)&name,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len));
}

static int tear_down(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    return close(*(int *)*state);
}

static void assert_heard(int fd, const char *expected)
{
    char text[256] = "";

    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) >= 0);
    assert_string_equal(text, expected);
}

static void the_manager_is_told_of_a_relays_life(void **state)
{
    int fd = *(int *)*state;

    service_manager_ready();
    assert_heard(fd, "READY=1");
    service_manager_alive("12 allocations");
    assert_heard(fd, "WATCHDOG=1\nSTATUS=12 allocations");
    service_manager_stopping();
    assert_heard(fd, "STOPPING=1");
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

// Or a manager that has asked for it a moment ago would wait for another answer.
static void a_reload_is_no_older_than_the_signal_for_it(void **state)
{
    uint64_t before_us = now_us(), told_us = 0;
    char text[256] = "";

    service_manager_reloading();
    assert_true(recv(*(int *)*state, text, sizeof(text) - 1, MSG_DONTWAIT) >= 0);
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &told_us), 1);
    assert_true(told_us >= before_us && told_us <= now_us());
}

static void without_a_manager_nobody_is_told(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    service_manager_ready();
    service_manager_alive("");
    service_manager_reloading();
    service_manager_stopping();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_manager_is_told_of_a_relays_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_is_no_older_than_the_signal_for_it, set_up,
                                        tear_down),
        cmocka_unit_test(without_a_manager_nobody_is_told),
    };

    return cmocka_run_group_tests_name("control/service_manager", tests, NULL, NULL);
}
