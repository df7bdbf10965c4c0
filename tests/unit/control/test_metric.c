// SPDX-License-Identifier: BSD-3-Clause
// Claims about the table of metrics, the forms it is written in, and that docs/metrics.md says what
// it says.
#include "control/metric.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void names_are_as_prometheus_has_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const char *name = metric_name((enum metric)i);

        assert_true(strncmp(name, "turnpike_", 9) == 0 || strncmp(name, "process_", 8) == 0);
        for (const char *c = name; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
        assert_int_equal(ends_with(name, "_total"), metric_type((enum metric)i) == METRIC_COUNTER);
        assert_int_equal(ends_with(name, "_info"), metric_type((enum metric)i) == METRIC_INFO);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name, metric_name((enum metric)j));
    }
}

// OpenMetrics knows a counter by its name without _total, which no other metric may have.
static void no_gauge_has_the_name_of_a_counters_family(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        for (unsigned j = 0; j < METRIC_COUNT; j++) {
            char name[128];

            snprintf(name, sizeof(name), "%s_total", metric_name((enum metric)j));
            assert_string_not_equal(name, metric_name((enum metric)i));
        }
    }
}

// Who has millions of them has no metric for each.
static void no_label_is_a_user_or_an_address(void **state)
{
    static const char *const bounded[] = {"worker", "direction", "form",   "reason",    "result",
                                          "method", "code",      "family", "transport", "port",
                                          "ring",   "state",     "call",   "version",   "quota",
                                          "way",    "table",     "name"};

    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        char labels[128];

        snprintf(labels, sizeof(labels), "%s", metric_labels((enum metric)i));
        for (char *rest, *label = strtok_r(labels, ", ", &rest); label;
             label = strtok_r(NULL, ", ", &rest)) {
            bool is_bounded = false;

            for (unsigned j = 0; j < sizeof(bounded) / sizeof(bounded[0]); j++)
                is_bounded |= strcmp(label, bounded[j]) == 0;
            assert_true(is_bounded);
        }
    }
}

// What would have to be escaped.
static void helps_are_plain_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        assert_true(*metric_help((enum metric)i) != '\0');
        assert_null(strpbrk(metric_help((enum metric)i), "\\\"\n|"));
    }
}

static char *write_some(enum metric_format format)
{
    const struct metric_page page = {evbuffer_new(), format};
    char *text;

    metric_head(&page, METRIC_BUILD);
    metric_sample(&page, METRIC_BUILD, "version=\"1\"", 1);
    metric_head(&page, METRIC_RELAYED_BYTES);
    metric_sample(&page, METRIC_RELAYED_BYTES, "worker=\"0\"", UINT64_MAX);
    metric_head(&page, METRIC_PROCESS_CPU);
    metric_sample_real(&page, METRIC_PROCESS_CPU, "", 1.5);
    metric_add(&page, METRIC_USERS_ACTIVE, 7);
    metric_page_end(&page);
    evbuffer_add(page.text, "", 1);
    text = strdup((char *)evbuffer_pullup(page.text, -1));
    evbuffer_free(page.text);
    assert_non_null(text);
    return text;
}

static void the_text_format_is_what_prometheus_reads(void **state)
{
    char *text = write_some(METRIC_FORMAT_TEXT);

    (void)state;
    assert_string_equal(text, "# TYPE turnpike_build_info gauge\n"
                              "# HELP turnpike_build_info what runs\n"
                              "turnpike_build_info{version=\"1\"} 1\n"
                              "# TYPE turnpike_relayed_bytes_total counter\n"
                              "# HELP turnpike_relayed_bytes_total payload relayed\n"
                              "turnpike_relayed_bytes_total{worker=\"0\"} 18446744073709551615\n"
                              "# TYPE process_cpu_seconds_total counter\n"
                              "# HELP process_cpu_seconds_total CPU time of all threads, user and "
                              "system\n"
                              "process_cpu_seconds_total 1.500\n"
                              "# TYPE turnpike_users_active gauge\n"
                              "# HELP turnpike_users_active users with an allocation\n"
                              "turnpike_users_active 7\n");
    free(text);
}

static void openmetrics_has_families_units_and_an_end(void **state)
{
    char *text = write_some(METRIC_FORMAT_OPENMETRICS);

    (void)state;
    assert_string_equal(text, "# TYPE turnpike_build info\n"
                              "# HELP turnpike_build what runs\n"
                              "turnpike_build_info{version=\"1\"} 1\n"
                              "# TYPE turnpike_relayed_bytes counter\n"
                              "# UNIT turnpike_relayed_bytes bytes\n"
                              "# HELP turnpike_relayed_bytes payload relayed\n"
                              "turnpike_relayed_bytes_total{worker=\"0\"} 18446744073709551615\n"
                              "# TYPE process_cpu_seconds counter\n"
                              "# UNIT process_cpu_seconds seconds\n"
                              "# HELP process_cpu_seconds CPU time of all threads, user and "
                              "system\n"
                              "process_cpu_seconds_total 1.500\n"
                              "# TYPE turnpike_users_active gauge\n"
                              "# HELP turnpike_users_active users with an allocation\n"
                              "turnpike_users_active 7\n"
                              "# EOF\n");
    free(text);
}

static void a_histogram_adds_up(void **state)
{
    static const char *const bounds[] = {"0.1", "0.5"};
    static const uint64_t counts[] = {3, 0, 4};
    const struct metric_histogram histogram = {bounds, 2, counts, 2.5};
    const struct metric_page page = {evbuffer_new(), METRIC_FORMAT_TEXT};

    (void)state;
    metric_head(&page, METRIC_CONTROL_DELAY);
    metric_histogram(&page, METRIC_CONTROL_DELAY, "", &histogram);
    metric_histogram(&page, METRIC_CONTROL_DELAY, "worker=\"7\"", &histogram);
    evbuffer_add(page.text, "", 1);
    assert_string_equal(strchr(strchr((char *)evbuffer_pullup(page.text, -1), '\n') + 1, '\n') + 1,
                        "turnpike_control_delay_seconds_bucket{le=\"0.1\"} 3\n"
                        "turnpike_control_delay_seconds_bucket{le=\"0.5\"} 3\n"
                        "turnpike_control_delay_seconds_bucket{le=\"+Inf\"} 7\n"
                        "turnpike_control_delay_seconds_sum 2.500000\n"
                        "turnpike_control_delay_seconds_count 7\n"
                        "turnpike_control_delay_seconds_bucket{worker=\"7\",le=\"0.1\"} 3\n"
                        "turnpike_control_delay_seconds_bucket{worker=\"7\",le=\"0.5\"} 3\n"
                        "turnpike_control_delay_seconds_bucket{worker=\"7\",le=\"+Inf\"} 7\n"
                        "turnpike_control_delay_seconds_sum{worker=\"7\"} 2.500000\n"
                        "turnpike_control_delay_seconds_count{worker=\"7\"} 7\n");
    evbuffer_free(page.text);
}

static void the_accept_header_chooses(void **state)
{
    static const struct {
        const char *accept;
        enum metric_format format;
    } cases[] = {
        {NULL, METRIC_FORMAT_TEXT},
        {"", METRIC_FORMAT_TEXT},
        {"*/*", METRIC_FORMAT_TEXT},
        {"text/plain;version=0.0.4;q=1,*/*;q=0.1", METRIC_FORMAT_TEXT},
        // Prometheus 2.42, and with the scrape protocols of later ones.
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRIC_FORMAT_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         METRIC_FORMAT_OPENMETRICS},
        {"text/plain;q=0.9, application/openmetrics-text; version=1.0.0; q=0.5",
         METRIC_FORMAT_TEXT},
        {"text/plain;q=0.5 ,\tAPPLICATION/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.51",
         METRIC_FORMAT_OPENMETRICS},
        {"text/plain;q=0.6,application/openmetrics-text;q=0.9,application/openmetrics-text;"
         "version=1.0.0;q=0.1",
         METRIC_FORMAT_OPENMETRICS},
        {"application/openmetrics-text;q=0", METRIC_FORMAT_TEXT},
        {"application/openmetrics-text;q=0.000,text/plain;q=0", METRIC_FORMAT_TEXT},
        {"application/openmetrics-text;version=0.0.1", METRIC_FORMAT_TEXT},
        {"application/openmetrics-text-not", METRIC_FORMAT_TEXT},
        {"application/openmetrics", METRIC_FORMAT_TEXT},
        {",,, ;;q=,=;,application/openmetrics-text;;;q=1;", METRIC_FORMAT_OPENMETRICS},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (metric_format_choose(cases[i].accept) != cases[i].format)
            fail_msg("%s", cases[i].accept ? cases[i].accept : "nothing");
    }
    assert_non_null(strstr(metric_format_type(METRIC_FORMAT_TEXT), "version=0.0.4"));
    assert_non_null(strstr(metric_format_type(METRIC_FORMAT_OPENMETRICS), "version=1.0.0"));
}

static void the_documentation_lists_every_metric(void **state)
{
    static const char *const types[] = {"counter", "gauge", "info", "histogram", "unknown"};
    char *text = calloc(1, 1 << 18);
    FILE *file = fopen(SOURCE_ROOT "/docs/metrics.md", "r");
    unsigned missing = 0;

    (void)state;
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
    fclose(file);
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        char row[512];

        snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s |\n", metric_name((enum metric)i),
                 types[metric_type((enum metric)i)], metric_labels((enum metric)i),
                 metric_help((enum metric)i));
        if (strstr(text, row))
            continue;
        print_error("missing row: %s", row + 1);
        missing++;
    }
    free(text);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_as_prometheus_has_them),
        cmocka_unit_test(no_gauge_has_the_name_of_a_counters_family),
        cmocka_unit_test(no_label_is_a_user_or_an_address),
        cmocka_unit_test(helps_are_plain_text),
        cmocka_unit_test(the_text_format_is_what_prometheus_reads),
        cmocka_unit_test(openmetrics_has_families_units_and_an_end),
        cmocka_unit_test(a_histogram_adds_up),
        cmocka_unit_test(the_accept_header_chooses),
        cmocka_unit_test(the_documentation_lists_every_metric),
    };

    return cmocka_run_group_tests_name("control/metric", tests, NULL, NULL);
}
