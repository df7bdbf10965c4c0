// SPDX-License-Identifier: BSD-3-Clause
// Claims about the first lines of files.
#include "platform/kernel_file.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/kernel_file.XXXXXX";

static int group_set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int group_tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void reads_what_the_kernel_says(void **state)
{
    char line[32];

    (void)state;
    assert_int_equal(prctl(PR_SET_NAME, "a thread's name"), 0);
    assert_int_equal(
        kernel_file_read(line, sizeof(line), "/proc/self/task/%d/%s", gettid(), "comm"), 0);
    assert_string_equal(line, "a thread's name");
}

static void reads_one_line_with_or_without_its_end(void **state)
{
    static const char *const texts[] = {"first", "first\n", "first\nsecond\n"};
    char line[32];

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(texts[i]);
        assert_int_equal(kernel_file_read(line, sizeof(line), "%s", path), 0);
        assert_string_equal(line, "first");
    }
    write_file("\nsecond\n");
    assert_int_equal(kernel_file_read(line, sizeof(line), "%s", path), 0);
    assert_string_equal(line, "");
}

static void leaves_out_what_does_not_fit(void **state)
{
    char line[8] = "-------";

    (void)state;
    write_file("0123456789\n");
    assert_int_equal(kernel_file_read(line, 5, "%s", path), 0);
    assert_memory_equal(line, "0123\0--", 8);
}

static void touches_nothing_when_there_is_no_line(void **state)
{
    char name[PATH_MAX + 1], line[8] = "as was";

    (void)state;
    write_file("");
    assert_int_equal(kernel_file_read(line, sizeof(line), "%s", path), -ENODATA);
    assert_int_equal(kernel_file_read(line, sizeof(line), "%s.not", path), -ENOENT);
    assert_int_equal(kernel_file_read(line, sizeof(line), "/proc"), -EISDIR);
    memset(name, 'x', PATH_MAX);
    name[PATH_MAX] = '\0';
    assert_int_equal(kernel_file_read(line, sizeof(line), "%s", name), -ENAMETOOLONG);
    assert_string_equal(line, "as was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_kernel_says),
        cmocka_unit_test(reads_one_line_with_or_without_its_end),
        cmocka_unit_test(leaves_out_what_does_not_fit),
        cmocka_unit_test(touches_nothing_when_there_is_no_line),
    };

    return cmocka_run_group_tests_name("platform/kernel_file", tests, group_set_up,
                                       group_tear_down);
}
