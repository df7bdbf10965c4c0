// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is said of the relay as a whole. Whoever counts is a fake.
#include "control/overview.h"

#include "answer_text.h"
#include "base/clock.h"
#include "control/drain.h"
#include "control/settings.h"
#include "control/stream_server.h"
#include "control/tls_contexts.h"
#include "control/watchdog.h"
#include "platform/eal.h"
#include "platform/port_counters.h"
#include "turn/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 2

static uint64_t expires_s;
static char streams, tcp_relay;

uint64_t clock_wall_s(void)
{
    return 2000000;
}

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_usage){.allocations = 11,
                                     .permissions = 12,
                                     .channels = 13,
                                     .users = 14,
                                     .relay_ports = 15,
                                     .tcp_connections = 16,
                                     .tcp_allocations = 17};
}

void stream_server_sum(const struct stream_server *server, struct stream_counters *ret_counters)
{
    assert_ptr_equal(server, &streams);
    *ret_counters =
        (struct stream_counters){.joined_to_peer_bytes = 18, .joined_to_client_bytes = 19};
}

const struct turn_counters *turn_server_counters(const struct turn_server *server)
{
    static const struct turn_counters turn_counts = {
        .quota_refusals = {[QUOTA_REFUSED_USER] = 5, [QUOTA_REFUSED_BANDWIDTH] = 6}};

    (void)server;
    return &turn_counts;
}

uint32_t turn_server_allocations_max(const struct turn_server *server)
{
    (void)server;
    return 1000;
}

uint32_t turn_server_worker_allocations(const struct turn_server *server, uint16_t worker)
{
    (void)server;
    return 20u + worker;
}

uint64_t tls_contexts_expires_s(struct tls_contexts *contexts)
{
    (void)contexts;
    return expires_s;
}

unsigned watchdog_stuck_count(const struct watchdog *watchdog)
{
    (void)watchdog;
    return 1;
}

bool watchdog_worker_is_stuck(const struct watchdog *watchdog, uint16_t worker)
{
    (void)watchdog;
    return worker == 1;
}

uint16_t eal_worker_cpu(uint16_t worker)
{
    return (uint16_t)(worker + 30);
}

unsigned ports_device_count(const struct ports *ports)
{
    return ports->count;
}

bool ports_get_counters(const struct ports *ports, unsigned index,
                        struct port_counters *ret_counters)
{
    (void)ports;
    *ret_counters = (struct port_counters){"net_x", 1, 2, 3, 4, 5, 6, 7, 8};
    return index == 0;
}

bool ports_get_link(const struct ports *ports, unsigned index, struct port_link *ret_link)
{
    (void)ports;
    *ret_link = (struct port_link){"net_driver", false, 1000};
    return index == 0;
}

static struct drain_view drain;

void drain_get_view(const struct drain *asked, struct drain_view *ret_view)
{
    (void)asked;
    *ret_view = drain;
}

static struct worker_counters counters[WORKERS];
static struct plane plane = {.config.worker_count = WORKERS, .counters = counters};
static const struct turn_limits limits = {.allocations = 1000};
static struct ports ports = {.count = 2};
static struct settings settings = {.interface = "eth7",
                                   .user_quota = 9,
                                   .max_bps = 1,
                                   .user_max_bps = 2,
                                   .total_max_bps = 3,
                                   .bps_capacity = 4};
static struct questions_config config = {
    .sources = {.plane = &plane, .limits = &limits, .ports = &ports, .tls = (void *)&plane},
    .settings = &settings,
};
static struct question question = {
    .config = &config,
    .created_ms = 5000,
    .now_ms = 15999,
};

static int set_up(void **state)
{
    (void)state;
    telemetry_answer_reset(&question.answer);
    memset(counters, 0, sizeof(counters));
    expires_s = 0;
    drain = (struct drain_view){};
    return 0;
}

static void status_is_the_relay_in_short(void **state)
{
    char expected[512];

    (void)state;
    expires_s = 99;
    assert_false(overview_status(&question));
    snprintf(expected, sizeof(expected),
             "version=%s;pid=%d;start_time=1999990;uptime_seconds=10;state=running;device=eth7;"
             "workers=2;workers_stuck=1;allocations=11;allocations_max=1000;permissions=12;"
             "channels=13;users=14;relay_ports=15;tcp_connections=16;certificate_expiry=99;",
             TURNPIKE_VERSION, (int)getpid());
    assert_string_equal(answer_text(&question.answer), expected);
}

static void peers_over_tcp_are_told_of_where_there_can_be_any(void **state)
{
    struct metrics_sources *sources = &config.sources;

    (void)state;
    sources->tcp_relay = (void *)&tcp_relay;
    assert_false(overview_status(&question));
    assert_null(strstr(answer_text(&question.answer), "tcp_allocations")); // no client over TCP
    telemetry_answer_reset(&question.answer);
    sources->streams = (void *)&streams;
    assert_false(overview_status(&question));
    sources->tcp_relay = NULL;
    sources->streams = NULL;
    assert_non_null(strstr(answer_text(&question.answer),
                           "tcp_connections=16;tcp_allocations=17;tcp_bytes_to_peer=18;"
                           "tcp_bytes_to_client=19;"));
}

static void a_drain_and_its_deadline_are_said(void **state)
{
    (void)state;
    drain = (struct drain_view){.is_draining = true};
    assert_false(overview_status(&question));
    assert_non_null(strstr(answer_text(&question.answer), "state=draining;device"));
    telemetry_answer_reset(&question.answer);
    drain = (struct drain_view){.is_draining = true, .has_deadline = true, .left_s = 77};
    assert_false(overview_status(&question));
    assert_non_null(
        strstr(answer_text(&question.answer), "state=draining;drain_deadline_seconds=77;"));
}

static void without_certificates_none_expires(void **state)
{
    (void)state;
    assert_false(overview_status(&question));
    assert_null(strstr(answer_text(&question.answer), "certificate"));
}

static void each_worker_has_its_own_counts(void **state)
{
    (void)state;
    counters[0].counters[COUNTER_RX_PACKETS] = 1;
    counters[0].counters[COUNTER_RX_BYTES] = 2;
    counters[0].counters[COUNTER_TX_PACKETS] = 3;
    counters[0].counters[COUNTER_TX_BYTES] = 4;
    counters[0].busy_tsc = 7;
    counters[0].idle_tsc = 8;
    counters[1].drops[DROP_NOT_IP] = 5;
    counters[1].drops[DROP_TX_FULL] = 6;
    assert_false(overview_workers(&question));
    assert_string_equal(
        answer_text(&question.answer),
        "workers={0={cpu=30;stuck=0;allocations=20;packets_received=1;bytes_received=2;"
        "packets_transmitted=3;bytes_transmitted=4;dropped=0;busy_cycles=7;idle_cycles=8;}"
        "1={cpu=31;stuck=1;allocations=21;"
        "packets_received=0;bytes_received=0;packets_transmitted=0;bytes_transmitted=0;"
        "dropped=11;busy_cycles=0;idle_cycles=0;}}");
}

static void a_port_that_says_nothing_is_there_all_the_same(void **state)
{
    (void)state;
    ports.facts[0] =
        (struct port_facts){.count = 1, .at = {{.item = "mtu", .found = "9000", .why = "so"}}};
    assert_false(overview_ports(&question));
    assert_string_equal(answer_text(&question.answer),
                        "ports={0={name=net_x;driver=net_driver;link=down;speed_mbps=1000;"
                        "rx_packets=1;rx_bytes=2;tx_packets=3;tx_bytes=4;missed=5;rx_errors=6;"
                        "tx_errors=7;no_buffer=8;}1={}}"
                        "uses={mtu={found=9000;why=so;}}");
    ports.facts[0].count = 0;
}

static void what_ports_have_counted_comes_before_what_was_found(void **state)
{
    (void)state;
    ports.facts[0] = (struct port_facts){.count = 1, .at = {{.item = "mtu", .found = "9000"}}};
    // Entries of sets have bounds, too.
    telemetry_answer_open(&question.answer, "filler");
    while (telemetry_answer_has_room(&question.answer, 220))
        telemetry_answer_text(
            &question.answer, "text",
            "a hundred bytes and a few, which are a line of nothing in itself, but "
            "of which there are many");
    telemetry_answer_close(&question.answer);
    overview_ports(&question);
    assert_non_null(strstr(answer_text(&question.answer), "1={}}"));
    assert_null(strstr(answer_text(&question.answer), "mtu"));
    ports.facts[0].count = 0;
}

static void only_what_was_dropped_is_said(void **state)
{
    (void)state;
    counters[0].drops[DROP_BAD_STUN] = 2;
    counters[1].drops[DROP_BAD_STUN] = 3;
    counters[1].drops[DROP_TX_FULL] = 1;
    assert_false(overview_drops(&question));
    assert_string_equal(answer_text(&question.answer), "drops={bad_stun=5;tx_full=1;}");
}

// With every number at its longest.
static void what_all_workers_and_reasons_make_is_not_cut(void **state)
{
    (void)state;
    for (unsigned drop = 0; drop < DROP_COUNT; drop++)
        counters[0].drops[drop] = UINT64_MAX;
    assert_false(overview_drops(&question));
    assert_false(question.answer.state.is_cut);
}

static void quotas_are_limits_and_what_there_is_of_them(void **state)
{
    (void)state;
    assert_false(overview_quotas(&question));
    assert_string_equal(answer_text(&question.answer),
                        "allocations=11;allocations_max=1000;users=14;user_allocations_max=9;"
                        "allocation_bits_per_second_max=8;user_bits_per_second_max=16;"
                        "total_bits_per_second_max=24;capacity_bits_per_second=32;"
                        "refused={user=5;total=0;bandwidth=6;}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(status_is_the_relay_in_short, set_up),
        cmocka_unit_test_setup(peers_over_tcp_are_told_of_where_there_can_be_any, set_up),
        cmocka_unit_test_setup(a_drain_and_its_deadline_are_said, set_up),
        cmocka_unit_test_setup(without_certificates_none_expires, set_up),
        cmocka_unit_test_setup(each_worker_has_its_own_counts, set_up),
        cmocka_unit_test_setup(a_port_that_says_nothing_is_there_all_the_same, set_up),
        cmocka_unit_test_setup(what_ports_have_counted_comes_before_what_was_found, set_up),
        cmocka_unit_test_setup(only_what_was_dropped_is_said, set_up),
        cmocka_unit_test_setup(quotas_are_limits_and_what_there_is_of_them, set_up),
        cmocka_unit_test_setup(what_all_workers_and_reasons_make_is_not_cut, set_up),
    };

    return cmocka_run_group_tests_name("control/overview", tests, NULL, NULL);
}
