// SPDX-License-Identifier: BSD-3-Clause
// Claims about what the metrics page says of workers' time. Two workers of a plane without rings.
#include "control/worker_metrics.h"

#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct worker_counters counters[2];
    struct plane plane;
    struct metric_workers workers;
    char *text;
};

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(128, (sizeof(*fixture) + 127) / 128 * 128);

    if (!fixture)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    fixture->plane.config.worker_count = 2;
    fixture->plane.counters = fixture->counters;
    fixture->plane.tsc_hz = UINT64_C(2000000000);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    free(fixture->text);
    free(fixture);
    return 0;
}

static void write_page(struct fixture *fixture)
{
    const struct metric_page page = {evbuffer_new(), METRIC_FORMAT_TEXT};

    metric_workers_read(&fixture->plane, &fixture->workers);
    worker_metrics_write(&page, &fixture->plane, &fixture->workers);
    evbuffer_add(page.text, "", 1);
    free(fixture->text);
    fixture->text = strdup((char *)evbuffer_pullup(page.text, -1));
    assert_non_null(fixture->text);
    evbuffer_free(page.text);
}

static void assert_line(const struct fixture *fixture, const char *line)
{
    char needle[256];

    snprintf(needle, sizeof(needle), "\n%s\n", line);
    if (!strstr(fixture->text, needle))
        fail_msg("missing: %s", line);
}

static void time_is_in_seconds_and_in_cycles(void **state)
{
    struct fixture *fixture = *state;

    fixture->counters[0].busy_tsc = UINT64_C(5000000000);
    fixture->counters[1].idle_tsc = UINT64_C(1000000000);
    write_page(fixture);
    assert_line(fixture, "turnpike_worker_busy_seconds_total{worker=\"0\"} 2.500");
    assert_line(fixture, "turnpike_worker_busy_seconds_total{worker=\"1\"} 0.000");
    assert_line(fixture, "turnpike_worker_idle_seconds_total{worker=\"1\"} 0.500");
    assert_line(fixture, "turnpike_worker_busy_cycles_total{worker=\"0\"} 5000000000");
}

static void bursts_are_counted_up_to_each_size(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned size = 0; size <= COUNTERS_BURST_MAX; size++)
        fixture->counters[1].bursts[size] = 1;
    fixture->counters[1].bursts[0] = 1000000;
    write_page(fixture);
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"1\"} 1");
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"2\"} 2");
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"4\"} 4");
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"32\"} 32");
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"64\"} 64");
    assert_line(fixture, "turnpike_burst_packets_bucket{worker=\"1\",le=\"+Inf\"} 64");
    assert_line(fixture, "turnpike_burst_packets_sum{worker=\"1\"} 2080.000000");
    assert_line(fixture, "turnpike_burst_packets_count{worker=\"1\"} 64");
    assert_line(fixture, "turnpike_burst_packets_count{worker=\"0\"} 0");
}

static void frames_stay_for_as_long_as_their_bucket_says(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i + 1 < COUNTERS_TIME_BUCKETS; i++) {
        char start[] = "turnpike_forwarding_seconds_bucket{worker=\"0\",way=\"direct\",le=\"";
        const char *line;

        memset(fixture->counters, 0, sizeof(fixture->counters));
        fixture->counters[0].direct.buckets[i] = 7;
        write_page(fixture);
        line = strstr(fixture->text, start);
        for (unsigned before = 0; before < i; before++) {
            assert_int_equal(strncmp(strchr(line, '}'), "} 0\n", 4), 0);
            line = strstr(line + 1, start);
        }
        assert_int_equal(strncmp(strchr(line, '}'), "} 7\n", 4), 0);
        assert_int_equal((long)(1e9 * strtod(line + strlen(start), NULL) + 0.5),
                         COUNTERS_TIME_UNIT_NS << i);
    }
}

static void what_was_handed_on_stands_apart(void **state)
{
    struct fixture *fixture = *state;

    fixture->counters[1].handed.buckets[COUNTERS_TIME_BUCKETS - 1] = 3;
    fixture->counters[1].handed.sum_tsc = UINT64_C(3000000);
    write_page(fixture);
    assert_line(fixture,
                "turnpike_forwarding_seconds_bucket{worker=\"1\",way=\"handed_on\",le=\"+Inf\"} 3");
    assert_line(fixture,
                "turnpike_forwarding_seconds_sum{worker=\"1\",way=\"handed_on\"} 0.001500");
    assert_line(fixture, "turnpike_forwarding_seconds_count{worker=\"1\",way=\"direct\"} 0");
    fixture->plane.config.worker_count = 1;
    write_page(fixture);
    assert_null(strstr(fixture->text, "handed_on"));
}

static void tables_have_entries_and_a_capacity(void **state)
{
    struct fixture *fixture = *state;

    fixture->plane.config.channels_per_worker = 1234;
    fixture->plane.config.steerings_per_worker = 55;
    fixture->counters[1].tables[WORKER_TABLE_CHANNELS] = 77;
    write_page(fixture);
    assert_line(fixture, "turnpike_table_entries{worker=\"1\",table=\"channels\"} 77");
    assert_line(fixture, "turnpike_table_entries{worker=\"0\",table=\"channels\"} 0");
    assert_line(fixture, "turnpike_table_capacity{table=\"channels\"} 1234");
    assert_line(fixture, "turnpike_table_capacity{table=\"steerings\"} 55");
    assert_line(fixture, "turnpike_table_capacity{table=\"fragments\"} 128");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(time_is_in_seconds_and_in_cycles),
        CASE(bursts_are_counted_up_to_each_size),
        CASE(frames_stay_for_as_long_as_their_bucket_says),
        CASE(what_was_handed_on_stands_apart),
        CASE(tables_have_entries_and_a_capacity),
    };

    return cmocka_run_group_tests_name("control/worker_metrics", tests, NULL, NULL);
}
