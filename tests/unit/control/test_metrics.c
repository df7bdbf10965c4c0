// SPDX-License-Identifier: BSD-3-Clause
// Claims about the metrics page: nothing that is counted is left out, or is there twice. The parts
// that count are fakes, and each count is another number.
#include "control/drain.h"
#include "control/metrics.h"

#include "control/http_access.h"
#include "control/next_hop.h"
#include "control/reload.h"
#include "control/session_log.h"
#include "control/stream_server.h"
#include "control/tcp_relay.h"
#include "control/tls_contexts.h"
#include "control/watchdog.h"
#include "exchange/ring_usage.h"
#include "platform/port_counters.h"
#include "turn/counters.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORKERS 2

static struct turn_counters turn_counts;
static uint64_t expires_s;

const struct turn_counters *turn_server_counters(const struct turn_server *server)
{
    (void)server;
    return &turn_counts;
}

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_usage){.permissions = 901001,
                                     .channels = 901002,
                                     .reservations = 901003,
                                     .pending_removals = 901004,
                                     .users = 901005};
}

void turn_server_relay_ports(const struct turn_server *server, enum ip_family family,
                             uint16_t worker, struct turn_port_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_port_usage){912000 + 10 * (uint32_t)family + worker,
                                          913000 + 10 * (uint32_t)family + worker};
}

void turn_server_tcp_ports(const struct turn_server *server, enum ip_family family,
                           struct turn_port_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_port_usage){914000 + (uint32_t)family, 915000 + (uint32_t)family};
}

uint32_t turn_server_allocations_max(const struct turn_server *server)
{
    (void)server;
    return 77;
}

uint32_t turn_server_worker_allocations(const struct turn_server *server, uint16_t worker)
{
    (void)server;
    return 902000u + worker;
}

void next_hops_get_usage(const struct next_hops *hops, struct next_hops_usage *ret_usage)
{
    (void)hops;
    *ret_usage =
        (struct next_hops_usage){.adjacencies = 903005, .resolved = 3, .destinations = 903003};
}

void stream_server_sum(const struct stream_server *server, struct stream_counters *ret_counters)
{
    uint64_t value = 904000;

    (void)server;
#define X(name, help) ret_counters->name = value++;
    STREAM_COUNTER_LIST(X)
#undef X
}

void stream_server_sum_dtls(const struct stream_server *server, struct dtls_counters *ret_counters)
{
    uint64_t value = 905000;

    (void)server;
#define X(name, help) ret_counters->name = value++;
    DTLS_COUNTER_LIST(X)
#undef X
}

const struct tcp_relay_counters *tcp_relay_counters(const struct tcp_relay *relay)
{
    static struct tcp_relay_counters counters;
    uint64_t value = 911000;

    assert_non_null(relay);
#define X(name, help) counters.name = value++;
    TCP_RELAY_COUNTER_LIST(X)
#undef X
    return &counters;
}

const char *const watchdog_delay_bounds[WATCHDOG_DELAY_BOUNDS] = {"0.1", "0.2", "0.3", "0.4", "0.5",
                                                                  "0.6", "0.7", "0.8", "0.9"};

const struct watchdog_delays *watchdog_get_delays(const struct watchdog *watchdog)
{
    static const struct watchdog_delays delays = {.counts = {5, [9] = 2}, .sum_ms = 12345};

    (void)watchdog;
    return &delays;
}

bool watchdog_worker_is_stuck(const struct watchdog *watchdog, uint16_t worker)
{
    (void)watchdog;
    return worker == 1;
}

void drain_get_view(const struct drain *drain, struct drain_view *ret_view)
{
    (void)drain;
    *ret_view = (struct drain_view){.is_draining = true, .deadline_wall_s = 1700000000};
}

static uint64_t ours_expires_s;

uint64_t http_access_expires_s(const struct http_access *access)
{
    (void)access;
    return ours_expires_s;
}

uint64_t tls_contexts_expires_s(struct tls_contexts *contexts)
{
    (void)contexts;
    return expires_s;
}

uint64_t session_log_lost_count(const struct session_log *log)
{
    (void)log;
    return 916001;
}

const struct reload_history *reload_get_history(const struct reload *reload)
{
    static const struct reload_history history = {
        .taken_count = 912001, .refused_count = 912002, .taken_s = 1700000000};

    (void)reload;
    return &history;
}

unsigned ports_device_count(const struct ports *ports)
{
    (void)ports;
    return 2;
}

bool ports_get_counters(const struct ports *ports, unsigned index,
                        struct port_counters *ret_counters)
{
    (void)ports;
    *ret_counters = (struct port_counters){.received_packets = 906000 + index,
                                           .received_bytes = 906010 + index,
                                           .transmitted_packets = 906020 + index,
                                           .transmitted_bytes = 906030 + index,
                                           .missed = 906040 + index,
                                           .receive_errors = 906050 + index,
                                           .transmit_errors = 906060 + index,
                                           .no_buffer = 906070 + index};
    snprintf(ret_counters->name, sizeof(ret_counters->name), "net_af_xdp%u", index);
    return true;
}

bool ports_get_link(const struct ports *ports, unsigned index, struct port_link *ret_link)
{
    (void)ports;
    *ret_link = (struct port_link){.is_up = index == 1};
    return true;
}

unsigned ports_get_statistics(const struct ports *ports, unsigned index,
                              struct port_statistic ret_statistics[PORT_STATISTICS_MAX])
{
    (void)ports;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(ret_statistics[i].name, sizeof(ret_statistics[i].name), "rx_q%u", i);
        ret_statistics[i].value = 916000 + 10 * index + i;
    }
    return 3;
}

void ports_get_buffers(const struct ports *ports, struct port_buffers *ret_buffers)
{
    (void)ports;
    *ret_buffers = (struct port_buffers){907001, 907002};
}

const char *plane_ring_name(enum plane_ring ring)
{
    static const char *const names[PLANE_RING_COUNT] = {"a", "b", "c", "d", "e", "f", "g"};

    return names[ring];
}

bool ring_usage_get(const struct plane *plane, enum plane_ring ring, uint16_t worker,
                    struct ring_usage *ret_usage)
{
    (void)plane;
    *ret_usage = (struct ring_usage){908000 + 10 * (uint32_t)ring + worker,
                                     909000 + 10 * (uint32_t)ring + worker};
    return ring != PLANE_RING_FROM_KERNEL;
}

struct fixture {
    struct worker_counters counters[WORKERS];
    struct plane plane;
    struct turn_limits limits;
    char *text;
};

static void write_page(struct fixture *fixture, bool has_streams)
{
    static const struct metrics_pages pages = {917001, 917002, 917003, 917004000};
    const struct metrics_sources sources = {
        .pages = &pages,
        .plane = &fixture->plane,
        .limits = &fixture->limits,
        .streams = has_streams ? (const struct stream_server *)&fixture->plane : NULL,
        .tcp_relay = has_streams ? (const struct tcp_relay *)&fixture->plane : NULL,
        .tls = (struct tls_contexts *)&fixture->plane,
    };
    const struct metric_page page = {evbuffer_new(), METRIC_FORMAT_OPENMETRICS};

    metrics_write(&sources, &page);
    evbuffer_add(page.text, "", 1);
    free(fixture->text);
    fixture->text = strdup((char *)evbuffer_pullup(page.text, -1));
    assert_non_null(fixture->text);
    evbuffer_free(page.text);
}

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(128, (sizeof(*fixture) + 127) / 128 * 128);
    uint64_t value = 910000;

    if (!fixture)
        return -1;
    memset(fixture, 0, sizeof(*fixture));
    fixture->plane.config.worker_count = WORKERS;
    fixture->plane.tsc_hz = 1000;
    fixture->plane.counters = fixture->counters;
    for (unsigned worker = 0; worker < WORKERS; worker++) {
        for (unsigned i = 0; i < sizeof(fixture->counters[0]) / sizeof(uint64_t); i++)
            ((uint64_t *)&fixture->counters[worker])[i] = value++;
    }
    memset(&turn_counts, 0, sizeof(turn_counts));
    expires_s = 1800000000;
    ours_expires_s = 0;
    write_page(fixture, true);
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

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;

    for (; (text = strstr(text, what)); text++)
        found++;
    return found;
}

static void assert_line(const struct fixture *fixture, const char *line)
{
    char needle[256];

    snprintf(needle, sizeof(needle), "\n%s\n", line);
    if (count(fixture->text, needle) != 1)
        fail_msg("not once: %s", line);
}

static void assert_value(const struct fixture *fixture, uint64_t value, unsigned times)
{
    char needle[32];

    snprintf(needle, sizeof(needle), " %" PRIu64 "\n", value);
    if (count(fixture->text, needle) != times)
        fail_msg("%" PRIu64 " is there %u times", value, count(fixture->text, needle));
}

// Answers of workers are added to the TURN server's.
static bool is_answer(unsigned counter)
{
    return counter == COUNTER_BINDING || counter == COUNTER_BAD_REQUEST ||
           counter == COUNTER_UNAUTHENTICATED || counter == COUNTER_UNKNOWN_ATTRIBUTE ||
           counter == COUNTER_STALE_NONCE;
}

static void every_count_of_every_worker_is_there_once(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned worker = 0; worker < WORKERS; worker++) {
        const struct worker_counters *counters = &fixture->counters[worker];

        for (unsigned i = 0; i < COUNTER_COUNT; i++)
            assert_value(fixture, counters->counters[i], is_answer(i) ? 0 : 1);
        for (unsigned i = 0; i < DROP_COUNT; i++)
            assert_value(fixture, counters->drops[i], 1);
        assert_value(fixture, counters->busy_polls, 1);
        assert_value(fixture, counters->idle_polls, 1);
        assert_value(fixture, counters->sleeps, 1);
    }
}

static void every_count_of_streams_is_there_once(void **state)
{
    struct fixture *fixture = *state;
    uint64_t value = 904000;

#define X(name, help) assert_value(fixture, value++, 1);
    STREAM_COUNTER_LIST(X)
    value = 905000;
    DTLS_COUNTER_LIST(X)
    value = 911000;
    TCP_RELAY_COUNTER_LIST(X)
#undef X
    assert_line(fixture, "turnpike_stream_connections 904000");
    write_page(fixture, false);
    assert_null(strstr(fixture->text, "turnpike_stream_messages"));
    assert_null(strstr(fixture->text, "turnpike_dtls"));
    assert_null(strstr(fixture->text, "turnpike_tcp_relay"));
}

static void what_is_in_use_is_there(void **state)
{
    struct fixture *fixture = *state;

    for (uint64_t value = 901001; value <= 901005; value++)
        assert_value(fixture, value, 1);
    assert_line(fixture, "turnpike_worker_stuck{worker=\"0\"} 0");
    assert_line(fixture, "turnpike_control_delay_seconds_bucket{le=\"0.9\"} 5");
    assert_line(fixture, "turnpike_control_delay_seconds_bucket{le=\"+Inf\"} 7");
    assert_line(fixture, "turnpike_control_delay_seconds_sum 12.345000");
    assert_line(fixture, "turnpike_worker_stuck{worker=\"1\"} 1");
    assert_line(fixture, "turnpike_worker_allocations{worker=\"1\"} 902001");
    assert_line(fixture, "turnpike_draining 1");
    assert_line(fixture, "turnpike_drain_deadline_timestamp_seconds 1700000000");
    assert_line(fixture, "turnpike_next_hops{state=\"resolved\"} 3");
    assert_line(fixture, "turnpike_next_hops{state=\"unresolved\"} 903002");
    assert_line(fixture, "turnpike_relay_ports_used{family=\"ipv4\",worker=\"1\"} 912041");
    assert_line(fixture, "turnpike_relay_ports_used{family=\"ipv6\",worker=\"0\"} 912060");
    assert_line(fixture, "turnpike_relay_ports_capacity{family=\"ipv6\",worker=\"1\"} 913061");
    assert_line(fixture, "turnpike_tcp_relay_ports_used{family=\"ipv4\"} 914004");
    assert_line(fixture, "turnpike_tcp_relay_ports_capacity{family=\"ipv6\"} 915006");
    assert_line(fixture, "turnpike_packet_buffers_used 907001");
    assert_line(fixture, "turnpike_ring_entries{ring=\"b\",worker=\"1\"} 908011");
    assert_line(fixture, "turnpike_ring_capacity{ring=\"a\",worker=\"0\"} 909000");
    assert_null(strstr(fixture->text, "ring=\"e\""));
    assert_line(fixture, "turnpike_reloads_total{result=\"taken\"} 912001");
    assert_line(fixture, "turnpike_reloads_total{result=\"refused\"} 912002");
    assert_line(fixture, "turnpike_log_lost_lines_total 0");
    assert_line(fixture, "turnpike_session_log_lost_lines_total 916001");
    assert_line(fixture, "turnpike_log_suppressed_lines_total 0");
    assert_line(fixture, "turnpike_config_last_taken_timestamp_seconds 1700000000");
}

static void every_count_of_a_port_is_there_once(void **state)
{
    struct fixture *fixture = *state;

    for (uint64_t value = 906000; value <= 906070; value += 10) {
        assert_value(fixture, value, 1);
        assert_value(fixture, value + 1, 1);
    }
    assert_line(fixture, "turnpike_port_up{port=\"net_af_xdp0\"} 0");
    assert_line(fixture, "turnpike_port_up{port=\"net_af_xdp1\"} 1");
    assert_line(fixture, "turnpike_port_missed_packets_total{port=\"net_af_xdp1\"} 906041");
    assert_line(fixture, "turnpike_port_statistic{port=\"net_af_xdp1\",name=\"rx_q2\"} 916012");
    assert_line(fixture,
                "turnpike_port_errors_total{port=\"net_af_xdp0\",direction=\"out\"} 906060");
}

static void answers_of_workers_and_of_the_server_are_added_up(void **state)
{
    struct fixture *fixture = *state;

    memset(fixture->counters, 0, sizeof(fixture->counters));
    fixture->counters[0].counters[COUNTER_BINDING] = 100;
    fixture->counters[1].counters[COUNTER_BINDING] = 10;
    fixture->counters[1].counters[COUNTER_UNKNOWN_ATTRIBUTE] = 1;
    fixture->counters[0].counters[COUNTER_UNAUTHENTICATED] = 20;
    fixture->counters[0].counters[COUNTER_STALE_NONCE] = 3;
    fixture->counters[0].counters[COUNTER_BAD_REQUEST] = 4;
    turn_counts.requests[TURN_METHOD_INDEX_BINDING] = 5000;
    turn_counts.requests[TURN_METHOD_INDEX_ALLOCATE] = 6;
    turn_counts.errors[TURN_METHOD_INDEX_ALLOCATE][TURN_ERROR_INDEX_ALLOCATION_QUOTA_REACHED] = 2;
    turn_counts.errors[TURN_METHOD_INDEX_BINDING][TURN_ERROR_INDEX_UNKNOWN_ATTRIBUTE] = 7;
    turn_counts.authentication_failures = 9;
    turn_counts.quota_refusals[QUOTA_REFUSED_USER] = 21;
    turn_counts.quota_refusals[QUOTA_REFUSED_TOTAL] = 22;
    turn_counts.quota_refusals[QUOTA_REFUSED_BANDWIDTH] = 23;
    turn_counts.allocations[TURN_FAMILY_DUAL][TURN_TRANSPORT_TLS] = 12;
    turn_counts.live[TURN_FAMILY_IPV4][TURN_TRANSPORT_UDP] = 11;
    write_page(fixture, true);
    assert_line(fixture, "turnpike_requests_total{method=\"binding\"} 5111");
    assert_line(fixture, "turnpike_requests_total{method=\"allocate\"} 6");
    assert_line(fixture, "turnpike_requests_total{method=\"any\"} 27");
    assert_line(fixture, "turnpike_request_errors_total{method=\"allocate\",code=\"486\"} 2");
    assert_line(fixture, "turnpike_request_errors_total{method=\"binding\",code=\"420\"} 8");
    assert_line(fixture, "turnpike_request_errors_total{method=\"any\",code=\"401\"} 20");
    assert_line(fixture, "turnpike_request_errors_total{method=\"any\",code=\"438\"} 3");
    assert_line(fixture, "turnpike_request_errors_total{method=\"any\",code=\"400\"} 4");
    assert_line(fixture, "turnpike_authentication_failures_total 9");
    assert_line(fixture, "turnpike_quota_refusals_total{quota=\"user\"} 21");
    assert_line(fixture, "turnpike_quota_refusals_total{quota=\"total\"} 22");
    assert_line(fixture, "turnpike_quota_refusals_total{quota=\"bandwidth\"} 23");
    assert_line(fixture, "turnpike_allocations_capacity 77");
    assert_line(fixture, "turnpike_allocations_total{family=\"dual\",transport=\"tls\"} 12");
    assert_line(fixture, "turnpike_allocations_active{family=\"ipv4\",transport=\"udp\"} 11");
    // Reasons that nothing was dropped for are there, too.
    assert_line(fixture, "turnpike_dropped_packets_total{worker=\"1\",reason=\"rate_limited\"} 0");
}

static void without_certificates_none_expires(void **state)
{
    struct fixture *fixture = *state;

    assert_line(fixture, "turnpike_certificate_expiry_timestamp_seconds 1800000000");
    expires_s = 0;
    write_page(fixture, true);
    assert_null(strstr(fixture->text, "turnpike_certificate_expiry"));
}

static void the_certificate_of_the_metrics_expires_too(void **state)
{
    struct fixture *fixture = *state;

    ours_expires_s = 1800000001;
    write_page(fixture, true);
    assert_line(fixture, "turnpike_certificate_expiry_timestamp_seconds 1800000000");
    ours_expires_s = 1799999999;
    write_page(fixture, true);
    assert_line(fixture, "turnpike_certificate_expiry_timestamp_seconds 1799999999");
    expires_s = 0;
    write_page(fixture, true);
    assert_line(fixture, "turnpike_certificate_expiry_timestamp_seconds 1799999999");
}

static void pages_are_counted_on_pages(void **state)
{
    const struct fixture *fixture = *state;

    assert_line(fixture, "turnpike_pages_total{result=\"served\"} 917001");
    assert_line(fixture, "turnpike_pages_total{result=\"too_many\"} 917002");
    assert_line(fixture, "turnpike_pages_total{result=\"no_token\"} 917003");
    assert_line(fixture, "turnpike_page_seconds_total 917.004");
}

// Scrapers refuse a page where a metric comes twice, or has its samples in two places.
static void every_metric_stands_in_one_place(void **state)
{
    const struct fixture *fixture = *state;

    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        char family[128], head[160];
        const char *name = metric_name((enum metric)i);
        size_t len = strlen(name);

        if (metric_type((enum metric)i) == METRIC_COUNTER)
            len -= strlen("_total");
        if (metric_type((enum metric)i) == METRIC_INFO)
            len -= strlen("_info");
        snprintf(family, sizeof(family), "%.*s", (int)len, name);
        snprintf(head, sizeof(head), "# TYPE %s ", family);
        if (i != METRIC_PROCESS_OPEN_FDS && count(fixture->text, head) != 1)
            fail_msg("not once: %s", head);
    }
    assert_string_equal(fixture->text + strlen(fixture->text) - 6, "# EOF\n");
}

// Every sample is of the metric whose head is above it.
static void every_sample_stands_below_its_head(void **state)
{
    const struct fixture *fixture = *state;
    char family[128] = "";

    for (const char *line = fixture->text; *line; line = strchr(line, '\n') + 1) {
        if (sscanf(line, "# TYPE %127s", family) == 1 || *line == '#')
            continue;
        if (strncmp(line, family, strlen(family)) != 0)
            fail_msg("below %s: %.60s", family, line);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_count_of_every_worker_is_there_once),
        CASE(every_count_of_streams_is_there_once),
        CASE(what_is_in_use_is_there),
        CASE(every_count_of_a_port_is_there_once),
        CASE(answers_of_workers_and_of_the_server_are_added_up),
        CASE(without_certificates_none_expires),
        CASE(the_certificate_of_the_metrics_expires_too),
        CASE(pages_are_counted_on_pages),
        CASE(every_metric_stands_in_one_place),
        CASE(every_sample_stands_below_its_head),
    };

    return cmocka_run_group_tests_name("control/metrics", tests, NULL, NULL);
}
