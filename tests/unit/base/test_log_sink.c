// SPDX-License-Identifier: BSD-3-Clause
// base/log_sink.h, with files, pipes and sockets in a directory of the test's own.
#include "base/log_sink.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/test_log_sink.XXXXXX";
static char path[64], other_path[64];

static int make_directory(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/log", directory);
    snprintf(other_path, sizeof(other_path), "%s/log.1", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static const char *read_file(const char *name)
{
    static char text[256];
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void a_file_is_appended_to_and_nobody_elses_to_read(void **state)
{
    struct log_sink sink;
    struct stat status;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(log_sink_open_file(path, &sink), 0);
        log_sink_write(&sink, "a\n", 2);
        log_sink_close(&sink);
    }
    assert_string_equal(read_file(path), "a\na\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0);
    unlink(path);
}

static void a_file_that_was_moved_is_followed_by_a_new_one(void **state)
{
    struct log_sink sink;

    (void)state;
    assert_int_equal(log_sink_open_file(path, &sink), 0);
    log_sink_write(&sink, "old\n", 4);
    assert_int_equal(rename(path, other_path), 0);
    log_sink_write(&sink, "moved\n", 6);
    assert_int_equal(log_sink_reopen(&sink), 0);
    log_sink_write(&sink, "new\n", 4);
    assert_string_equal(read_file(other_path), "old\nmoved\n");
    assert_string_equal(read_file(path), "new\n");
    assert_int_equal(log_sink_lost(&sink), 0);
    log_sink_close(&sink);
    unlink(path);
    unlink(other_path);
}

static void a_file_that_cannot_be_made_leaves_the_old_one_in_use(void **state)
{
    struct log_sink sink;

    (void)state;
    assert_int_equal(log_sink_open_file(path, &sink), 0);
    assert_int_equal(rename(path, other_path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(log_sink_reopen(&sink), -EISDIR);
    log_sink_write(&sink, "a\n", 2);
    assert_string_equal(read_file(other_path), "a\n");
    log_sink_close(&sink);
    rmdir(path);
    unlink(other_path);
    assert_int_equal(log_sink_open_file("/nowhere/at/all", &sink), -ENOENT);
}

static void what_a_full_disk_does_not_take_is_counted(void **state)
{
    struct log_sink sink;

    (void)state;
    assert_int_equal(log_sink_open_file("/dev/full", &sink), 0);
    log_sink_write(&sink, "a\n", 2);
    log_sink_write(&sink, "b\n", 2);
    assert_int_equal(log_sink_lost(&sink), 2);
    log_sink_close(&sink);
}

static void a_fifo_is_not_waited_for_until_somebody_reads_it(void **state)
{
    struct log_sink sink = {.fd = -1};
    char bytes[8] = "";
    int reader;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(log_sink_open_file(path, &sink), -ENXIO);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(log_sink_open_file(path, &sink), 0);
    log_sink_write(&sink, "a\n", 2);
    assert_int_equal(read(reader, bytes, sizeof(bytes)), 2);
    close(reader);
    assert_int_equal(log_sink_reopen(&sink), -ENXIO);
    log_sink_close(&sink);
    unlink(path);
}

static void a_pipe_that_does_not_block_is_waited_for(void **state)
{
    struct log_sink sink = {.path = "pipe"};
    static char long_line[200000];
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    sink.fd = fds[1];
    memset(long_line, 'x', sizeof(long_line));
    if (fork() == 0) {
        char bytes[4096];
        size_t left = sizeof(long_line);

        close(fds[1]);
        while (left > 0) {
            ssize_t got = read(fds[0], bytes, sizeof(bytes));

            if (got > 0)
                left -= (size_t)got;
            else
                usleep(1000);
        }
        _exit(0);
    }
    log_sink_write(&sink, long_line, sizeof(long_line));
    assert_int_equal(log_sink_lost(&sink), 0);
    close(fds[0]);
    close(fds[1]);
}

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, name);
    unlink(name);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void expect_datagram(int fd, const char *expected)
{
    char bytes[64];
    ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

    assert_int_equal(len, strlen(expected));
    assert_memory_equal(bytes, expected, (size_t)len);
}

static void a_daemon_may_go_and_come_back(void **state)
{
    struct log_sink sink;
    int daemon = listen_at(path);

    (void)state;
    assert_int_equal(log_sink_open_socket(path, &sink), 0);
    log_sink_write(&sink, "a", 1);
    expect_datagram(daemon, "a");
    close(daemon);
    log_sink_write(&sink, "b", 1);
    assert_int_equal(log_sink_lost(&sink), 1);
    daemon = listen_at(path);
    log_sink_write(&sink, "c", 1);
    expect_datagram(daemon, "c");
    assert_int_equal(log_sink_lost(&sink), 1);
    assert_int_equal(log_sink_reopen(&sink), 0); // nothing to do
    log_sink_close(&sink);
    close(daemon);
    unlink(path);
    assert_int_equal(log_sink_open_socket(path, &sink), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_appended_to_and_nobody_elses_to_read),
        cmocka_unit_test(a_file_that_was_moved_is_followed_by_a_new_one),
        cmocka_unit_test(a_file_that_cannot_be_made_leaves_the_old_one_in_use),
        cmocka_unit_test(what_a_full_disk_does_not_take_is_counted),
        cmocka_unit_test(a_fifo_is_not_waited_for_until_somebody_reads_it),
        cmocka_unit_test(a_pipe_that_does_not_block_is_waited_for),
        cmocka_unit_test(a_daemon_may_go_and_come_back),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
