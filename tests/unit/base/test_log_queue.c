// SPDX-License-Identifier: BSD-3-Clause
// base/log_queue.h, with a sink that the test holds up as it likes.
#include "base/log_queue.h"

#include "support.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sink {
    pthread_mutex_t held; // while the test has it, writing waits
    char text[65536];
    size_t len;
    unsigned reopened;
    size_t len_when_reopened;
};

static void write_line(void *context, const void *line, size_t len)
{
    struct sink *sink = context;

    pthread_mutex_lock(&sink->held);
    assert_true(sink->len + len < sizeof(sink->text));
    memcpy(sink->text + sink->len, line, len);
    sink->len += len;
    pthread_mutex_unlock(&sink->held);
}

static void reopen(void *context)
{
    struct sink *sink = context;

    sink->reopened++;
    sink->len_when_reopened = sink->len;
}

static struct sink *make(size_t capacity, struct log_queue **queue)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    const struct log_queue_config config = {.capacity = capacity,
                                            .write = write_line,
                                            .reopen = reopen,
                                            .context = sink,
                                            .thread_name = "test"};

    assert_non_null(sink);
    pthread_mutex_init(&sink->held, NULL);
    assert_int_equal(log_queue_create(&config, queue), 0);
    return sink;
}

static void lines_are_written_in_order_and_all_by_the_end(void **state)
{
    struct log_queue *queue;
    struct sink *sink = make(65536, &queue);
    char expected[65536] = "";

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char line[16];
        int len = snprintf(line, sizeof(line), "line %u\n", i);

        assert_true(log_queue_put(queue, line, (size_t)len));
        strcat(expected, line);
    }
    assert_true(log_queue_destroy(queue, 10000));
    assert_string_equal(sink->text, expected);
    free(sink);
}

static void nobody_waits_for_a_sink_that_is_stuck(void **state)
{
    struct log_queue *queue;
    struct sink *sink = make(1024, &queue);
    unsigned put = 0;

    (void)state;
    pthread_mutex_lock(&sink->held);
    for (unsigned i = 0; i < 1000; i++)
        put += log_queue_put(queue, "0123456789", 10);
    assert_true(put > 1024 / 20 && put <= 2 * 1024 / 10); // two buffers, a length with each line
    assert_int_equal(log_queue_lost(queue), 1000 - put);
    log_queue_flush(queue, 5); // comes back
    pthread_mutex_unlock(&sink->held);
    log_queue_flush(queue, 10000);
    assert_int_equal(sink->len, 10 * put);
    assert_true(log_queue_put(queue, "0123456789", 10)); // there is room again
    assert_true(log_queue_destroy(queue, 10000));
    assert_int_equal(sink->len, 10 * (put + 1));
    free(sink);
}

static unsigned thread_count(void)
{
    DIR *threads = opendir("/proc/self/task");
    unsigned count = 0;

    assert_non_null(threads);
    for (const struct dirent *entry; (entry = readdir(threads));)
        count += entry->d_name[0] != '.';
    closedir(threads);
    return count;
}

static void a_thread_that_is_stuck_is_left_behind(void **state)
{
    static struct log_queue *queue; // what is left behind is no leak
    static struct sink *sink;

    (void)state;
    sink = make(1024, &queue);
    pthread_mutex_lock(&sink->held);
    assert_true(log_queue_put(queue, "x", 1));
    assert_false(log_queue_destroy(queue, 20));
    assert_int_equal(thread_count(), 2);
    pthread_mutex_unlock(&sink->held);
    while (thread_count() > 1) // it ends by itself
        sched_yield();
}

static void a_line_longer_than_the_queue_is_lost(void **state)
{
    struct log_queue *queue;
    struct sink *sink = make(64, &queue);
    static const char line[65];

    (void)state;
    assert_false(log_queue_put(queue, line, sizeof(line)));
    assert_false(log_queue_put(queue, line, 64 - sizeof(size_t) + 1));
    assert_true(log_queue_put(queue, line, 64 - sizeof(size_t)));
    assert_int_equal(log_queue_lost(queue), 2);
    assert_true(log_queue_destroy(queue, 10000));
    free(sink);
}

static void the_sink_is_reopened_even_without_lines(void **state)
{
    struct log_queue *queue;
    struct sink *sink = make(1024, &queue);

    (void)state;
    assert_true(log_queue_put(queue, "a", 1));
    log_queue_flush(queue, 10000);
    log_queue_reopen(queue);
    log_queue_flush(queue, 10000);
    assert_true(log_queue_put(queue, "b", 1));
    assert_true(log_queue_destroy(queue, 10000));
    assert_int_equal(sink->reopened, 1);
    assert_int_equal(sink->len_when_reopened, 1);
    assert_int_equal(sink->len, 2);
    free(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_in_order_and_all_by_the_end),
        cmocka_unit_test(nobody_waits_for_a_sink_that_is_stuck),
        cmocka_unit_test(a_thread_that_is_stuck_is_left_behind),
        cmocka_unit_test(a_line_longer_than_the_queue_is_lost),
        cmocka_unit_test(the_sink_is_reopened_even_without_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
