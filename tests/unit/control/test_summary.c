// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a started relay says of itself. The log is a fake that writes down lines.
#include "control/summary.h"

#define LINES_LEVEL LOG_LEVEL_INFO
#include "log_lines.h"

enum xdp_filter_mode xdp_filter_mode(const struct xdp_filter *filter)
{
    (void)filter;
    return XDP_FILTER_GENERIC;
}

bool xdp_filter_is_zero_copy(const struct xdp_filter *filter)
{
    (void)filter;
    return false;
}

static void says_where_it_listens_and_relays_and_how(void **state)
{
    const struct interface interface = {.name = "eth0", .mtu = 1500};
    struct plane_config config = {
        .listener_count = 1, .relay_count = 1, .worker_count = 4, .allocations = 99};

    (void)state;
    assert_int_equal(transport_address_parse("[2001:db8::1]:3478", &config.listeners[0]), 0);
    assert_int_equal(ip_address_parse("10.0.0.1", &config.relays[0].local), 0);
    assert_int_equal(ip_address_parse("203.0.113.7", &config.relays[0].advertised), 0);
    config.relays[0].min_port = 49152;
    config.relays[0].max_port = 65535;
    summary_log(&config, &interface, "", (const struct xdp_filter *)&config, true);
    assert_string_equal(
        lines, "listening address=[2001:db8::1]:3478 transport=udp\n"
               "relaying address=10.0.0.1 advertised=203.0.113.7 ports=49152-65535\n"
               "started interface=eth0 mtu=1500 workers=4 xdp=generic zero_copy=no hugepages=yes "
               "allocations=99\n");
}

static void names_the_device_that_it_owns(void **state)
{
    const struct interface interface = {.name = "twin0", .mtu = 1500};
    const struct plane_config config = {.worker_count = 4, .allocations = 99};

    (void)state;
    *lines = '\0';
    summary_log(&config, &interface, "net_memif0,role=server", NULL, true);
    assert_string_equal(lines, "started interface=twin0 device=net_memif0,role=server mtu=1500 "
                               "workers=4 hugepages=yes allocations=99\n");
}

static void says_of_each_item_what_there_is_to_say(void **state)
{
    const struct port_facts facts = {
        .count = 3,
        .at = {{.item = "rss", .found = "ipv4", .used = "no", .why = "one worker"},
               {.item = "mac", .found = "02:00:00:00:00:01"},
               {.item = "mtu", .used = "1500", .why = "as configured"}},
    };

    (void)state;
    *lines = '\0';
    summary_log_facts(&facts);
    assert_string_equal(lines, "port_uses item=rss found=ipv4 used=no why=one worker\n"
                               "port_uses item=mac found=02:00:00:00:00:01\n"
                               "port_uses item=mtu used=1500 why=as configured\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_it_listens_and_relays_and_how),
        cmocka_unit_test(names_the_device_that_it_owns),
        cmocka_unit_test(says_of_each_item_what_there_is_to_say),
    };

    return cmocka_run_group_tests_name("control/summary", tests, NULL, NULL);
}
