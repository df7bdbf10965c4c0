// SPDX-License-Identifier: BSD-3-Clause
// Claims about privileges, made in children that give theirs up.
#include "platform/privileges.h"

#include "base/thread_signal.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_LEN 4096

static void give_up_everything(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

    if (syscall(SYS_capset, &header, none) < 0)
        _exit(99);
}

// The exit status of a child without privileges that runs function, and what it said.
static int run_without_privileges(int (*function)(void), char text[TEXT_LEN])
{
    int pipe_fds[2], status;
    size_t len = 0;
    ssize_t part;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        give_up_everything();
        _exit(function());
    }
    close(pipe_fds[1]);
    while ((part = read(pipe_fds[0], text + len, TEXT_LEN - 1 - len)) > 0)
        len += (size_t)part;
    text[len] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

static int check(void)
{
    return privileges_check(false) == -EPERM ? 7 : 1;
}

static int check_for_device(void)
{
    return privileges_check(true) == -EPERM ? 7 : 1;
}

static void every_missing_capability_is_named_with_what_to_do(void **state)
{
    char text[TEXT_LEN];

    (void)state;
    assert_int_equal(run_without_privileges(check, text), 7);
    assert_non_null(strstr(text, "CAP_NET_ADMIN is needed"));
    assert_non_null(strstr(text, "CAP_NET_RAW is needed"));
    assert_non_null(strstr(text, "CAP_BPF is needed"));
    assert_non_null(strstr(text, "CAP_PERFMON is needed"));
    assert_non_null(
        strstr(text, "AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_PERFMON"));
}

static void a_device_of_ones_own_needs_no_xdp(void **state)
{
    char text[TEXT_LEN];

    (void)state;
    assert_int_equal(run_without_privileges(check_for_device, text), 7);
    assert_non_null(strstr(text, "AmbientCapabilities=CAP_NET_ADMIN (plus"));
    assert_null(strstr(text, "CAP_BPF"));
}

static int lock_too_much(void)
{
    const struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 98;
    if (privileges_lock_memory(4096) != 0)
        return 1;
    return privileges_lock_memory(64 << 20) == -EPERM ? 7 : 2;
}

static void too_little_memory_to_lock_is_said_with_what_to_do(void **state)
{
    char text[TEXT_LEN];

    (void)state;
    assert_int_equal(run_without_privileges(lock_too_much, text), 7);
    assert_non_null(strstr(text, "64 MB"));
    assert_non_null(strstr(text, "CAP_IPC_LOCK"));
}

static int lock_within_the_hard_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max < 131072)
        return 7; // cannot be tried here
    limit.rlim_cur = 65536;
    limit.rlim_max = 131072;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 98;
    if (privileges_lock_memory(100000) != 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 1;
    return limit.rlim_cur >= 100000 ? 7 : 2;
}

static void a_limit_is_raised_as_far_as_it_may_be(void **state)
{
    char text[TEXT_LEN];

    (void)state;
    assert_int_equal(run_without_privileges(lock_within_the_hard_limit, text), 7);
    assert_string_equal(text, "");
}

static int open_files(void)
{
    const struct rlimit low = {100, 2000};
    struct rlimit now;

    if (setrlimit(RLIMIT_NOFILE, &low) < 0)
        return 1;
    privileges_open_files(500);
    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur != 500 + 1024)
        return 2;
    privileges_open_files(10); // never less
    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur != 500 + 1024)
        return 3;
    privileges_open_files(5000);
    return getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 2000 ? 7 : 4;
}

static void files_are_opened_up_to_the_limit_that_cannot_be_raised(void **state)
{
    char text[TEXT_LEN];

    (void)state;
    assert_int_equal(run_without_privileges(open_files, text), 7);
    assert_non_null(strstr(text, "the limit of open files is 2000"));
    assert_null(strstr(text, "(500)"));
}

static uint64_t permitted_of(pid_t thread)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
                                              .pid = thread};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

    if (syscall(SYS_capget, &header, data) < 0)
        _exit(97);
    return (uint64_t)data[1].permitted << 32 | data[0].permitted | data[0].effective |
           data[0].inheritable;
}

// The exit status of a child that still has all its parent has.
static int run(int (*function)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(function());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int limit(void)
{
    const uint64_t access = UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_DAC_READ_SEARCH |
                            UINT64_C(1) << CAP_FOWNER;
    uint64_t before = permitted_of(0);

    if (privileges_limit() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    return permitted_of(0) == (before & ~access) ? 7 : 2;
}

static void files_are_those_of_the_user_from_the_beginning(void **state)
{
    (void)state;
    assert_int_equal(run(limit), 7);
}

static pid_t sleeper; // atomic

// One that blocks what it can, as threads of ours do, and is in a system call.
static void *sleep_on(void *doorbell)
{
    sigset_t all;
    char byte;

    sigfillset(&all);
    sigdelset(&all, THREAD_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    __atomic_store_n(&sleeper, gettid(), __ATOMIC_RELEASE);
    // The signal does not end it.
    return read(*(int *)doorbell, &byte, 1) == 1 ? doorbell : NULL;
}

static int drop(void)
{
    uint64_t before = permitted_of(0);
    pthread_t thread;
    int pipe_fds[2];
    void *result;

    if (pipe(pipe_fds) < 0 || pthread_create(&thread, NULL, sleep_on, &pipe_fds[0]) != 0)
        return 1;
    while (__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    if (privileges_drop() != 0)
        return 2;
    if (permitted_of(sleeper) != 0)
        return 3;
    if (permitted_of(0) != (before & UINT64_C(1) << CAP_NET_ADMIN))
        return 4;
    if (write(pipe_fds[1], "", 1) != 1 || pthread_join(thread, &result) != 0 || !result)
        return 5;
    return 7;
}

static void every_other_thread_gives_up_all_and_this_one_most(void **state)
{
    (void)state;
    assert_int_equal(run(drop), 7);
}

static void *sleep_deaf(void *doorbell)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    __atomic_store_n(&sleeper, gettid(), __ATOMIC_RELEASE);
    pause();
    return doorbell;
}

// Where there is nothing to give up, nobody is asked.
static int drop_beside_the_deaf(void)
{
    bool has_any = permitted_of(0) != 0;
    pthread_t thread;

    if (pthread_create(&thread, NULL, sleep_deaf, NULL) != 0)
        return 1;
    while (__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    return privileges_drop() == (has_any ? -ETIMEDOUT : 0) ? 7 : 2;
}

static void a_thread_that_keeps_its_own_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run(drop_beside_the_deaf), 7);
}

// As vhost-net's: the kernel's own, by name a thread of ours. False: none is made for us here.
static bool make_kernels_thread(void)
{
    struct io_uring_params parameters = {.flags = IORING_SETUP_SQPOLL};

    return syscall(SYS_io_uring_setup, 1, &parameters) >= 0;
}

static int drop_beside_the_kernels(void)
{
    uint64_t before = permitted_of(0);

    if (!make_kernels_thread())
        return 7;
    if (privileges_drop() != 0)
        return 1;
    return permitted_of(0) == (before & UINT64_C(1) << CAP_NET_ADMIN) ? 7 : 2;
}

// Since Linux 6.4; before, its thread of this kind is told from ours by nothing.
static void a_thread_of_the_kernels_keeps_its_own(void **state)
{
    struct utsname system;
    int major = 0, minor = 0;

    (void)state;
    assert_int_equal(uname(&system), 0);
    (void)sscanf(system.release, "%d.%d", &major, &minor);
    if (major < 6 || (major == 6 && minor < 4))
        skip();
    assert_int_equal(run(drop_beside_the_kernels), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_opened_up_to_the_limit_that_cannot_be_raised),
        cmocka_unit_test(every_missing_capability_is_named_with_what_to_do),
        cmocka_unit_test(a_device_of_ones_own_needs_no_xdp),
        cmocka_unit_test(too_little_memory_to_lock_is_said_with_what_to_do),
        cmocka_unit_test(a_limit_is_raised_as_far_as_it_may_be),
        cmocka_unit_test(files_are_those_of_the_user_from_the_beginning),
        cmocka_unit_test(every_other_thread_gives_up_all_and_this_one_most),
        cmocka_unit_test(a_thread_that_keeps_its_own_is_an_error),
        cmocka_unit_test(a_thread_of_the_kernels_keeps_its_own),
    };

    return cmocka_run_group_tests_name("platform/privileges", tests, NULL, NULL);
}
