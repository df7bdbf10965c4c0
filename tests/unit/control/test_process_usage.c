// SPDX-License-Identifier: BSD-3-Clause
// Claims about what the process is said to take.
#include "control/process_usage.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void memory_that_is_touched_is_resident(void **state)
{
    const size_t len = 64 << 20;
    struct process_usage before, after;
    char *memory;

    (void)state;
    assert_int_equal(process_usage_get(&before), 0);
    memory = malloc(len);
    assert_non_null(memory);
    memset(memory, 1, len);
    assert_int_equal(process_usage_get(&after), 0);
    assert_in_range(after.resident_bytes - before.resident_bytes, len / 2, len * 2);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    free(memory);
}

static void time_spent_is_counted(void **state)
{
    struct process_usage usage;
    struct rusage spent;

    (void)state;
    do
        assert_int_equal(getrusage(RUSAGE_SELF, &spent), 0);
    while (spent.ru_utime.tv_sec * 1000000 + spent.ru_utime.tv_usec < 200000);
    assert_int_equal(process_usage_get(&usage), 0);
    assert_true(usage.cpu_s > 0.1);
}

static void it_started_a_while_ago_and_always_then(void **state)
{
    struct process_usage usage, again;

    (void)state;
    assert_int_equal(process_usage_get(&usage), 0);
    assert_true(usage.start_s <= (double)time(NULL) + 1);
    assert_true(usage.start_s > (double)time(NULL) - 3600);
    assert_int_equal(process_usage_get(&again), 0);
    assert_true(again.start_s >= usage.start_s && again.start_s <= usage.start_s);
}

static void files_are_counted_where_the_kernel_counts_them(void **state)
{
    struct process_usage before, after;
    struct rlimit limit;
    int file;

    (void)state;
    assert_int_equal(process_usage_get(&before), 0);
    file = open("/dev/null", O_RDONLY);
    assert_int_equal(process_usage_get(&after), 0);
    close(file);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(after.max_files, limit.rlim_cur);
    assert_int_equal(after.open_files, before.open_files > 0 ? before.open_files + 1 : 0);
}

static void a_name_with_brackets_and_spaces_is_no_trap(void **state)
{
    struct process_usage usage, plain;

    (void)state;
    assert_int_equal(process_usage_get(&plain), 0);
    assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b"), 0);
    assert_int_equal(process_usage_get(&usage), 0);
    assert_in_range(usage.virtual_bytes, plain.virtual_bytes / 2, plain.virtual_bytes * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_touched_is_resident),
        cmocka_unit_test(time_spent_is_counted),
        cmocka_unit_test(it_started_a_while_ago_and_always_then),
        cmocka_unit_test(files_are_counted_where_the_kernel_counts_them),
        cmocka_unit_test(a_name_with_brackets_and_spaces_is_no_trap),
    };

    return cmocka_run_group_tests_name("control/process_usage", tests, NULL, NULL);
}
