// SPDX-License-Identifier: BSD-3-Clause
// Claims about the figures that people read. The TURN server is a fake.
#include "control/statistics.h"

#include "control/stream_server.h"
#include "control/tcp_relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_usage){.allocations = 12, .users = 3};
}

// One of each, and one more of each.
void stream_server_sum(const struct stream_server *server, struct stream_counters *ret_counters)
{
    uint64_t value = 0;

    assert_non_null(server);
#define X(name, help) ret_counters->name = value++;
    STREAM_COUNTER_LIST(X)
#undef X
}

void stream_server_sum_dtls(const struct stream_server *server, struct dtls_counters *ret_counters)
{
    assert_non_null(server);
    *ret_counters = (struct dtls_counters){.hellos = 7};
}

const struct tcp_relay_counters *tcp_relay_counters(const struct tcp_relay *relay)
{
    static const struct tcp_relay_counters counters = {.connects = 9};

    assert_non_null(relay);
    return &counters;
}

struct fixture {
    struct worker_counters counters[2];
    struct plane plane;
    struct statistics statistics;
    FILE *stream;
    char *text;
    size_t len;
};

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(128, (sizeof(*fixture) + 127) / 128 * 128);

    if (!fixture)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    fixture->plane.config.worker_count = 2;
    fixture->plane.counters = fixture->counters;
    fixture->stream = open_memstream(&fixture->text, &fixture->len);
    statistics_init(&fixture->statistics, &fixture->plane, NULL, fixture->stream, 1000);
    *state = fixture;
    return fixture->stream ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fclose(fixture->stream);
    free(fixture->text);
    free(fixture);
    return 0;
}

static void a_line_is_about_its_interval_and_all_workers(void **state)
{
    struct fixture *fixture = *state;

    fixture->counters[0].counters[COUNTER_CHANNEL_TO_PEER] = 1000;
    statistics_print_line(&fixture->statistics, 2000);
    fixture->counters[0].counters[COUNTER_CHANNEL_TO_PEER] += 3000;
    fixture->counters[1].counters[COUNTER_SEND_TO_PEER] += 1000;
    fixture->counters[1].counters[COUNTER_TO_PEER_BYTES] += 500000;
    fixture->counters[1].counters[COUNTER_PEER_TO_DATA] += 600;
    fixture->counters[1].counters[COUNTER_PEER_TO_CHANNEL] += 400;
    fixture->counters[0].counters[COUNTER_TO_CLIENT_BYTES] += 250000;
    fixture->counters[0].counters[COUNTER_PUNTED] += 8;
    fixture->counters[0].drops[DROP_NO_PERMISSION] += 6;
    fixture->counters[1].drops[DROP_BAD_STUN] += 2;
    fixture->counters[0].busy_tsc += 1;
    fixture->counters[1].idle_tsc += 3;
    fixture->len = 0;
    statistics_print_line(&fixture->statistics, 4000);
    assert_non_null(strstr(fixture->text, "     12      2000   2.00       500   1.00     4      4 "
                                          " 25.0 no_permission\n"));
}

static void each_of_several_workers_has_a_line(void **state)
{
    struct fixture *fixture = *state;

    fixture->counters[0].counters[COUNTER_CHANNEL_TO_PEER] = 1000;
    fixture->counters[1].counters[COUNTER_CHANNEL_TO_PEER] = 1000;
    statistics_print_line(&fixture->statistics, 2000);
    fixture->counters[0].counters[COUNTER_CHANNEL_TO_PEER] += 3000;
    fixture->counters[0].counters[COUNTER_TO_PEER_BYTES] += 250000;
    fixture->counters[1].counters[COUNTER_PEER_TO_DATA] += 500;
    fixture->counters[1].drops[DROP_BAD_STUN] += 2;
    fixture->counters[0].busy_tsc += 1;
    fixture->counters[1].idle_tsc += 1;
    statistics_print_line(&fixture->statistics, 3000);
    assert_string_equal(fixture->text,
                        " allocs to-peer/s Mbit/s to-clnt/s Mbit/s req/s drop/s busy% top drop\n"
                        "     12      2000   0.00         0   0.00     0      0   0.0 -\n"
                        "     w0      1000   0.00         0   0.00     0      0   0.0 -\n"
                        "     w1      1000   0.00         0   0.00     0      0   0.0 -\n"
                        "     12      3000   2.00       500   0.00     0      2  50.0 bad_stun\n"
                        "     w0      3000   2.00         0   0.00     0      0 100.0 -\n"
                        "     w1         0   0.00       500   0.00     0      2   0.0 bad_stun\n");
}

static void a_single_worker_has_none(void **state)
{
    struct fixture *fixture = *state;

    fixture->plane.config.worker_count = 1;
    statistics_print_line(&fixture->statistics, 2000);
    statistics_print_summary(&fixture->statistics, 2000);
    assert_null(strstr(fixture->text, "w0"));
    assert_null(strstr(fixture->text, "worker"));
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;

    for (; (text = strstr(text, what)); text++)
        found++;
    return found;
}

static void the_header_is_repeated(void **state)
{
    struct fixture *fixture = *state;

    fixture->plane.config.worker_count = 1;
    for (unsigned i = 0; i < 41; i++)
        statistics_print_line(&fixture->statistics, 2000 + i * 1000);
    assert_int_equal(count(fixture->text, "allocs"), 3);
}

// Not among the lines of the workers.
static void the_header_is_repeated_above_the_sum(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 8; i++)
        statistics_print_line(&fixture->statistics, 2000 + i * 1000);
    assert_int_equal(count(fixture->text, "allocs"), 2);
    assert_int_equal(count(fixture->text, "top drop\n     12 "), 2);
}

static void a_line_fits_a_terminal(void **state)
{
    struct fixture *fixture = *state;
    struct worker_counters *counters = &fixture->counters[0];

    fixture->plane.config.worker_count = 1;
    counters->counters[COUNTER_CHANNEL_TO_PEER] = 123456789;
    counters->counters[COUNTER_PEER_TO_CHANNEL] = 123456789;
    counters->counters[COUNTER_TO_PEER_BYTES] = UINT64_C(123456000000);
    counters->counters[COUNTER_TO_CLIENT_BYTES] = UINT64_C(1234567800);
    counters->counters[COUNTER_PUNTED] = 12345;
    counters->drops[DROP_NO_RELAYED_ADDRESS] = 123456;
    counters->busy_tsc = 1;
    statistics_print_line(&fixture->statistics, 2000);
    assert_string_equal(
        fixture->text,
        " allocs to-peer/s Mbit/s to-clnt/s Mbit/s req/s drop/s busy% top drop\n"
        "     12 123456789 987648 123456789 9876.5 12345 123456 100.0 no_relayed_address\n");
    for (unsigned i = 0; i < DROP_COUNT; i++)
        assert_true(strlen(drop_name(i)) <= strlen("no_relayed_address"));
}

static void two_lines_at_once_do_no_harm(void **state)
{
    struct fixture *fixture = *state;

    statistics_print_line(&fixture->statistics, 1000);
    statistics_print_line(&fixture->statistics, 1000);
    assert_null(strstr(fixture->text, "nan"));
    assert_null(strstr(fixture->text, "inf"));
}

static void the_summary_has_what_occurred_and_only_that(void **state)
{
    struct fixture *fixture = *state;

    fixture->counters[0].counters[COUNTER_BINDING] = 5;
    fixture->counters[1].counters[COUNTER_BINDING] = 6;
    fixture->counters[1].drops[DROP_TTL_EXPIRED] = 9;
    statistics_print_summary(&fixture->statistics, 3500);
    assert_non_null(strstr(fixture->text, "in 2.5 s:"));
    assert_non_null(strstr(fixture->text, "              11  Binding requests answered\n"));
    assert_non_null(strstr(fixture->text, "               9  dropped (ttl_expired)"));
    assert_non_null(strstr(fixture->text, "               0  frames received\n"));
    assert_null(strstr(fixture->text, "hairpin"));
    assert_null(strstr(fixture->text, "bad_stun"));
}

static void the_summary_names_the_workers(void **state)
{
    struct fixture *fixture = *state;
    struct worker_counters *first = &fixture->counters[0], *second = &fixture->counters[1];

    first->counters[COUNTER_RX_PACKETS] = 99999999999;
    first->counters[COUNTER_TX_PACKETS] = 2;
    first->counters[COUNTER_CHANNEL_TO_PEER] = 3;
    first->counters[COUNTER_SEND_TO_PEER] = 1;
    first->counters[COUNTER_HANDOFF_OUT] = 5;
    second->counters[COUNTER_PEER_TO_CHANNEL] = 6;
    second->counters[COUNTER_PEER_TO_DATA] = 1;
    second->drops[DROP_TTL_EXPIRED] = 8;
    second->drops[DROP_BAD_STUN] = 1;
    statistics_print_summary(&fixture->statistics, 3500);
    assert_non_null(
        strstr(fixture->text,
               "\n"
               "worker    received transmitted    to peers  to clients   handed on     dropped\n"
               "    w0 99999999999           2           4           0           5           0\n"
               "    w1           0           0           0           7           0           9\n"));
}

static void the_summary_has_what_connections_did(void **state)
{
    struct fixture *fixture = *state;

    statistics_print_summary(&fixture->statistics, 2000);
    assert_null(strstr(fixture->text, "TCP and TLS"));
    fixture->statistics.streams = (const struct stream_server *)fixture;
    statistics_print_summary(&fixture->statistics, 2000);
    assert_non_null(strstr(fixture->text, "               1  TCP and TLS: connections accepted\n"));
    assert_null(strstr(fixture->text, "connections now")); // there are none
    assert_non_null(strstr(fixture->text, "               7  DTLS: ClientHellos\n"));
    assert_null(strstr(fixture->text, "associations"));
}

static void the_summary_has_what_tcp_allocations_did(void **state)
{
    struct fixture *fixture = *state;

    statistics_print_summary(&fixture->statistics, 2000);
    assert_null(strstr(fixture->text, "TCP relaying"));
    fixture->statistics.tcp_relay = (const struct tcp_relay *)fixture;
    statistics_print_summary(&fixture->statistics, 2000);
    assert_non_null(strstr(
        fixture->text, "               9  TCP relaying: connections to peers tried (Connect)\n"));
    assert_null(strstr(fixture->text, "of them, made"));
}

static void the_documentation_lists_every_counter_of_streams(void **state)
{
    FILE *file = fopen(SOURCE_ROOT "/docs/counters.md", "r");
    static char text[65536];

    (void)state;
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
#define X(name, help) assert_non_null(strstr(text, "| `" #name "` | " help " |"));
    STREAM_COUNTER_LIST(X)
    DTLS_COUNTER_LIST(X)
    TCP_RELAY_COUNTER_LIST(X)
#undef X
}

int main(void)
{
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIXTURE(the_summary_has_what_connections_did),
        FIXTURE(the_summary_has_what_tcp_allocations_did),
        cmocka_unit_test(the_documentation_lists_every_counter_of_streams),
        FIXTURE(a_line_is_about_its_interval_and_all_workers),
        FIXTURE(each_of_several_workers_has_a_line),
        FIXTURE(a_single_worker_has_none),
        FIXTURE(the_header_is_repeated),
        FIXTURE(the_header_is_repeated_above_the_sum),
        FIXTURE(a_line_fits_a_terminal),
        FIXTURE(two_lines_at_once_do_no_harm),
        FIXTURE(the_summary_has_what_occurred_and_only_that),
        FIXTURE(the_summary_names_the_workers),
    };

    return cmocka_run_group_tests_name("control/statistics", tests, NULL, NULL);
}
