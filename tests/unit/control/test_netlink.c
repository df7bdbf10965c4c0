// SPDX-License-Identifier: BSD-3-Clause
// Claims about reading rtnetlink messages, made here as the kernel makes them, and about asking the
// kernel that runs the test.
#include "control/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static char buffer[1024] __attribute__((aligned(8)));

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct nlmsghdr *make_route(uint8_t family, uint8_t type)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

    message->nlmsg_type = RTM_NEWROUTE;
    header->rtm_family = family;
    header->rtm_type = type;
    return message;
}

static struct nlmsghdr *make_neighbour(uint16_t type, uint8_t family, uint16_t nud)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

    message->nlmsg_type = type;
    header->ndm_family = family;
    header->ndm_ifindex = 7;
    header->ndm_state = nud;
    return message;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const char *text)
{
    struct ip_address address = ip(text);

    mnl_attr_put(message, type, ip_address_len(&address), address.bytes);
}

static void reads_a_route_through_a_gateway(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET, RTN_UNICAST);
    struct netlink_route route;
    struct ip_address gateway = ip("192.0.2.254");
    struct nlattr *metrics;

    (void)state;
    mnl_attr_put_u32(message, RTA_OIF, 3);
    put_address(message, RTA_GATEWAY, "192.0.2.254");
    metrics = mnl_attr_nest_start(message, RTA_METRICS);
    mnl_attr_put_u32(message, RTAX_ADVMSS, 1200);
    mnl_attr_put_u32(message, RTAX_MTU, 1400);
    mnl_attr_nest_end(message, metrics);
    assert_true(netlink_parse_route(message, &route));
    assert_int_equal(route.interface, 3);
    assert_int_equal(route.mtu, 1400);
    assert_true(ip_address_equal(&route.gateway, &gateway));
}

static void reads_an_ipv4_route_through_an_ipv6_gateway(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET, RTN_UNICAST);
    struct ip_address gateway = ip("fe80::1");
    struct netlink_route route;
    uint8_t via[2 + 16];
    uint16_t family = AF_INET6;

    (void)state;
    mnl_attr_put_u32(message, RTA_OIF, 3);
    memcpy(via, &family, 2);
    memcpy(via + 2, gateway.bytes, 16);
    mnl_attr_put(message, RTA_VIA, sizeof(via), via);
    assert_true(netlink_parse_route(message, &route));
    assert_true(ip_address_equal(&route.gateway, &gateway));
}

static void an_on_link_route_has_no_gateway(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET6, RTN_UNICAST);
    struct netlink_route route;

    (void)state;
    mnl_attr_put_u32(message, RTA_OIF, 3);
    put_address(message, RTA_DST, "2001:db8::1");
    assert_true(netlink_parse_route(message, &route));
    assert_int_equal(route.gateway.family, IP_FAMILY_NONE);
    assert_int_equal(route.mtu, 0);
}

static void a_route_to_nowhere_or_to_this_host_is_none(void **state)
{
    static const uint8_t types[] = {RTN_LOCAL,     RTN_BROADCAST, RTN_MULTICAST,
                                    RTN_BLACKHOLE, RTN_PROHIBIT,  RTN_UNREACHABLE};
    struct netlink_route route;

    (void)state;
    for (unsigned i = 0; i < sizeof(types); i++) {
        struct nlmsghdr *message = make_route(AF_INET, types[i]);

        mnl_attr_put_u32(message, RTA_OIF, 3);
        assert_false(netlink_parse_route(message, &route));
    }
    assert_false(netlink_parse_route(make_route(AF_INET, RTN_UNICAST), &route));
}

static void a_gateway_of_the_wrong_length_is_refused(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET, RTN_UNICAST);
    struct netlink_route route;

    (void)state;
    mnl_attr_put_u32(message, RTA_OIF, 3);
    put_address(message, RTA_GATEWAY, "2001:db8::1");
    assert_false(netlink_parse_route(message, &route));
}

static void reads_the_prefix_of_a_route(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET6, RTN_BLACKHOLE);
    struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct ip_prefix prefix;
    struct ip_address address = ip("2001:db8::");
    bool spreads = true;

    (void)state;
    header->rtm_dst_len = 32;
    put_address(message, RTA_DST, "2001:db8::");
    assert_true(netlink_parse_prefix(message, &prefix, &spreads));
    assert_true(ip_address_equal(&prefix.ip, &address));
    assert_int_equal(prefix.length, 32);
    assert_false(spreads);
    // The default route names none.
    assert_true(netlink_parse_prefix(make_route(AF_INET, RTN_UNICAST), &prefix, &spreads));
    assert_int_equal(prefix.ip.family, IP_FAMILY_V4);
    assert_int_equal(prefix.length, 0);
}

static void a_route_of_several_ways_spreads(void **state)
{
    static const uint8_t ways[32] = {};
    struct nlmsghdr *message = make_route(AF_INET, RTN_UNICAST);
    struct ip_prefix prefix;
    bool spreads;

    (void)state;
    mnl_attr_put(message, RTA_MULTIPATH, sizeof(ways), ways);
    assert_true(netlink_parse_prefix(message, &prefix, &spreads));
    assert_true(spreads);
    // A nexthop object may be a group, unless the one way is told.
    message = make_route(AF_INET, RTN_UNICAST);
    mnl_attr_put_u32(message, RTA_NH_ID, 5);
    assert_true(netlink_parse_prefix(message, &prefix, &spreads));
    assert_true(spreads);
    mnl_attr_put_u32(message, RTA_OIF, 3);
    assert_true(netlink_parse_prefix(message, &prefix, &spreads));
    assert_false(spreads);
}

static void reads_the_prefix_of_a_rule(void **state)
{
    struct nlmsghdr *message = make_route(AF_INET, 0);
    struct rtmsg *header = mnl_nlmsg_get_payload(message);
    struct ip_prefix prefix;
    struct ip_address address = ip("198.51.100.0");
    bool spreads;

    (void)state;
    message->nlmsg_type = RTM_NEWRULE;
    header->rtm_dst_len = 24;
    put_address(message, FRA_DST, "198.51.100.0");
    mnl_attr_put_u32(message, FRA_PRIORITY, 100);
    assert_true(netlink_parse_prefix(message, &prefix, &spreads));
    assert_true(ip_address_equal(&prefix.ip, &address));
    assert_int_equal(prefix.length, 24);
    assert_false(spreads);
    message->nlmsg_type = RTM_NEWADDR;
    assert_false(netlink_parse_prefix(message, &prefix, &spreads));
}

static void reads_a_neighbour(void **state)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    struct nlmsghdr *message = make_neighbour(RTM_NEWNEIGH, AF_INET6, NUD_STALE);
    struct netlink_neighbour neighbour;
    struct ip_address address = ip("fe80::9");

    (void)state;
    put_address(message, NDA_DST, "fe80::9");
    mnl_attr_put(message, NDA_LLADDR, sizeof(mac), mac);
    mnl_attr_put_u8(message, NDA_PROTOCOL, NETLINK_PROTOCOL);
    mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    assert_true(netlink_parse_neighbour(message, &neighbour));
    assert_true(ip_address_equal(&neighbour.ip, &address));
    assert_int_equal(neighbour.interface, 7);
    assert_int_equal(neighbour.state, NUD_STALE);
    assert_memory_equal(neighbour.mac, mac, 6);
    assert_int_equal(neighbour.protocol, NETLINK_PROTOCOL);
    assert_true(neighbour.managed);
}

static void an_address_that_is_no_ethernet_one_is_unknown(void **state)
{
    static const uint8_t infiniband[20] = {1, 2, 3}, none[6] = {};
    struct nlmsghdr *message = make_neighbour(RTM_NEWNEIGH, AF_INET, NUD_REACHABLE);
    struct netlink_neighbour neighbour;

    (void)state;
    put_address(message, NDA_DST, "192.0.2.9");
    mnl_attr_put(message, NDA_LLADDR, sizeof(infiniband), infiniband);
    assert_true(netlink_parse_neighbour(message, &neighbour));
    assert_memory_equal(neighbour.mac, none, sizeof(none));
}

static void a_deleted_neighbour_has_no_state(void **state)
{
    struct nlmsghdr *message = make_neighbour(RTM_DELNEIGH, AF_INET, NUD_REACHABLE);
    struct netlink_neighbour neighbour;

    (void)state;
    put_address(message, NDA_DST, "192.0.2.9");
    assert_true(netlink_parse_neighbour(message, &neighbour));
    assert_int_equal(neighbour.state, NUD_NONE);
    assert_false(neighbour.managed);
}

static void what_is_no_ip_neighbour_is_none(void **state)
{
    struct netlink_neighbour neighbour;
    struct nlmsghdr *message;

    (void)state;
    assert_false(
        netlink_parse_neighbour(make_neighbour(RTM_NEWNEIGH, AF_BRIDGE, NUD_STALE), &neighbour));
    assert_false(
        netlink_parse_neighbour(make_neighbour(RTM_NEWNEIGH, AF_INET, NUD_STALE), &neighbour));
    message = make_neighbour(RTM_NEWNEIGH, AF_INET, NUD_STALE);
    put_address(message, NDA_DST, "2001:db8::1");
    assert_false(netlink_parse_neighbour(message, &neighbour));
    assert_false(netlink_parse_neighbour(make_route(AF_INET, RTN_UNICAST), &neighbour));
}

static void count(const struct netlink_neighbour *neighbour, void *context)
{
    (void)neighbour;
    (*(unsigned *)context)++;
}

struct told {
    unsigned max, count;
    bool has_loopback;
};

static bool tell(const struct ip_prefix *prefix, bool spreads, void *context)
{
    struct told *told = context;
    const struct ip_address loopback = ip("127.0.0.1");

    (void)spreads;
    told->has_loopback |= ip_prefix_contains(prefix, &loopback) && prefix->length > 0;
    return ++told->count < told->max;
}

static void tell_gateway(const struct netlink_route *route, void *context)
{
    (void)context;
    assert_int_not_equal(route->interface, 0);
    assert_int_not_equal(route->gateway.family, IP_FAMILY_NONE);
}

static void the_kernel_lists_its_routes(void **state)
{
    struct told all = {.max = UINT32_MAX}, one = {.max = 1};
    const struct netlink_route_reader read_all = {tell, tell_gateway, &all},
                                      read_one = {tell, tell_gateway, &one};
    struct netlink netlink;

    (void)state;
    assert_int_equal(netlink_open(&netlink), 0);
    assert_int_equal(netlink_list_routes(&netlink, &read_all), 0);
    // Those of the tables that it fills itself too.
    assert_true(all.has_loopback);
    assert_int_equal(netlink_list_routes(&netlink, &read_one), 0);
    assert_int_equal(one.count, 1);
    netlink_close(&netlink);
}

static void the_kernel_answers(void **state)
{
    const struct ip_address loopback = ip("127.0.0.1"), absent = ip("192.0.2.77");
    struct netlink netlink;
    struct netlink_route route = {.interface = 42};
    struct netlink_neighbour neighbour;
    unsigned neighbours = 0;

    (void)state;
    assert_int_equal(netlink_open(&netlink), 0);
    // This host itself is no way out.
    assert_true(netlink_get_route(&netlink, &loopback, NULL, &route) < 0);
    assert_int_equal(route.interface, 42);
    assert_true(netlink_get_neighbour(&netlink, 1, &absent, &neighbour) < 0);
    assert_int_equal(netlink_list_neighbours(&netlink, 1, count, &neighbours), 0);
    // Questions after a refusal and after a list are answered as before.
    assert_true(netlink_get_route(&netlink, &loopback, &loopback, &route) < 0);
    netlink_close(&netlink);
}

// In a namespace of its own lo is down until somebody sets it up.
static void the_kernel_says_whether_a_link_is_up(void **state)
{
    struct netlink netlink;
    bool is_running = true;

    (void)state;
    if (unshare(CLONE_NEWNET) != 0)
        skip();
    assert_int_equal(netlink_open(&netlink), 0);
    assert_int_equal(netlink_get_link(&netlink, 1, &is_running), 0);
    assert_false(is_running);
    assert_int_equal(system("ip link set lo up"), 0);
    assert_int_equal(netlink_get_link(&netlink, 1, &is_running), 0);
    assert_true(is_running);
    assert_int_equal(netlink_get_link(&netlink, 77, &is_running), -ENODEV);
    netlink_close(&netlink);
}

static void no_neighbour(const struct netlink_neighbour *neighbour, void *context)
{
    (void)neighbour;
    (void)context;
}

static void no_routes(void *context)
{
    (void)context;
}

static void note_link(uint32_t interface, bool is_running, void *context)
{
    int *seen = context;

    assert_int_equal(interface, 1);
    *seen = is_running;
}

static void no_link(uint32_t interface, void *context)
{
    (void)interface;
    (void)context;
}

static void news_are_read_without_waiting(void **state)
{
    int seen = -1;
    const struct netlink_news news = {no_neighbour, no_routes, note_link, no_link, &seen};
    struct netlink netlink;

    (void)state;
    assert_int_equal(netlink_subscribe(&netlink), 0);
    assert_int_equal(netlink_receive(&netlink, &news), 0);
    netlink_close(&netlink);
}

static void news_say_whether_a_link_is_up(void **state)
{
    int seen = -1;
    const struct netlink_news news = {no_neighbour, no_routes, note_link, no_link, &seen};
    struct netlink netlink;

    (void)state;
    if (unshare(CLONE_NEWNET) != 0)
        skip();
    assert_int_equal(netlink_subscribe(&netlink), 0);
    assert_int_equal(system("ip link set lo up"), 0);
    assert_int_equal(netlink_receive(&netlink, &news), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(system("ip link set lo down"), 0);
    assert_int_equal(netlink_receive(&netlink, &news), 0);
    assert_int_equal(seen, 0);
    netlink_close(&netlink);
}

// lo of a namespace of its own, which has no other address of global scope.
static void the_kernel_lists_the_addresses_of_an_interface_as_they_are(void **state)
{
    struct interface interface = {.index = 1, .address_count = 1, .addresses = {ip("192.0.2.99")}};
    struct interface elsewhere = {.index = 77};
    const struct ip_address v4 = ip("192.0.2.7"), v6 = ip("2001:db8::7");
    struct netlink netlink;

    (void)state;
    if (unshare(CLONE_NEWNET) != 0)
        skip();
    assert_int_equal(netlink_open(&netlink), 0);
    assert_int_equal(netlink_list_addresses(&netlink, &interface), 0);
    assert_int_equal(interface.address_count, 0);
    assert_int_equal(system("ip address add 192.0.2.7/24 dev lo && "
                            "ip -6 address add 2001:db8::7/64 dev lo"),
                     0);
    assert_int_equal(netlink_list_addresses(&netlink, &interface), 0);
    assert_int_equal(interface.address_count, 2);
    assert_true(interface_has_address(&interface, &v4));
    assert_true(interface_has_address(&interface, &v6));
    assert_int_equal(netlink_list_addresses(&netlink, &elsewhere), 0);
    assert_int_equal(elsewhere.address_count, 0);
    netlink_close(&netlink);
}

static bool has_news(const struct netlink *netlink)
{
    struct pollfd fd = {.fd = mnl_socket_get_fd(netlink->socket), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static void addresses_that_come_and_go_are_news_until_these_are_thrown_away(void **state)
{
    static const char *const changes[] = {
        "ip address add 192.0.2.7/24 dev lo", "ip address delete 192.0.2.7/24 dev lo",
        "ip address add 2001:db8::7/64 dev lo", "ip address delete 2001:db8::7/64 dev lo"};
    struct netlink netlink;

    (void)state;
    if (unshare(CLONE_NEWNET) != 0)
        skip();
    assert_int_equal(netlink_subscribe_addresses(&netlink), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_false(has_news(&netlink));
        assert_int_equal(system(changes[i]), 0);
        assert_true(has_news(&netlink));
        netlink_drain(&netlink);
    }
    netlink_drain(&netlink);
    netlink_close(&netlink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_route_through_a_gateway),
        cmocka_unit_test(reads_an_ipv4_route_through_an_ipv6_gateway),
        cmocka_unit_test(an_on_link_route_has_no_gateway),
        cmocka_unit_test(a_route_to_nowhere_or_to_this_host_is_none),
        cmocka_unit_test(a_gateway_of_the_wrong_length_is_refused),
        cmocka_unit_test(reads_the_prefix_of_a_route),
        cmocka_unit_test(a_route_of_several_ways_spreads),
        cmocka_unit_test(reads_the_prefix_of_a_rule),
        cmocka_unit_test(reads_a_neighbour),
        cmocka_unit_test(an_address_that_is_no_ethernet_one_is_unknown),
        cmocka_unit_test(a_deleted_neighbour_has_no_state),
        cmocka_unit_test(what_is_no_ip_neighbour_is_none),
        cmocka_unit_test(the_kernel_lists_its_routes),
        cmocka_unit_test(the_kernel_answers),
        cmocka_unit_test(the_kernel_says_whether_a_link_is_up),
        cmocka_unit_test(news_are_read_without_waiting),
        cmocka_unit_test(news_say_whether_a_link_is_up),
        cmocka_unit_test(the_kernel_lists_the_addresses_of_an_interface_as_they_are),
        cmocka_unit_test(addresses_that_come_and_go_are_news_until_these_are_thrown_away),
    };

    return cmocka_run_group_tests_name("control/netlink", tests, NULL, NULL);
}
