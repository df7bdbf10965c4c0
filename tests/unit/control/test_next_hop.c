// SPDX-License-Identifier: BSD-3-Clause
// Claims about next hops, in front of a kernel that is a fake: a few routes by prefix, and
// neighbours that tests resolve.
#include "control/next_hop.h"

#include "control/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define INTERFACE       7
#define OTHER_INTERFACE 8
#define NEIGHBOURS_MAX  64

static struct {
    struct ip_address gateway; // of what is not in 192.0.2.0/24
    uint32_t interface;
    uint32_t mtu;
    int route_error;
    int source_error; // of questions that name a source
    unsigned route_questions;
    struct netlink_neighbour neighbours[NEIGHBOURS_MAX];
    unsigned neighbour_count;
    bool manages;
    const struct netlink_neighbour *news;
    bool route_news;
    bool news_lost;
    uint32_t deleted; // an interface, 0: none
    bool link_news;
    bool link_is_down;
    unsigned fresh_of_other;  // of them, behind the second interface
    unsigned fresh_questions; // to neighbours, by entries that were not there before
    const char *prefixes[8];  // of routes
    unsigned prefix_count;
    const char *gateways[8]; // of routes
    unsigned gateway_count;
    uint32_t gateway_interface; // that those are behind, 0: the first
    int list_error;             // 0: gateways and prefixes are told
    unsigned interrupted;       // so many listings are, before one is not
    bool spreads;
    bool has_other_gateway;   // to 198.51.100.0/24
    bool is_other_ours;       // there are two interfaces
    const char *behind_other; // what routes lead to through the second
    bool other_link_is_down;
} kernel;

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

int netlink_open(struct netlink *netlink)
{
    (void)netlink;
    return 0;
}

int netlink_subscribe(struct netlink *netlink)
{
    (void)netlink;
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    (void)netlink;
}

int netlink_get_route(struct netlink *netlink, const struct ip_address *destination,
                      const struct ip_address *source, struct netlink_route *ret_route)
{
    struct ip_prefix link;

    (void)netlink;
    kernel.route_questions++;
    if (source && kernel.source_error)
        return kernel.source_error;
    if (kernel.route_error)
        return kernel.route_error;
    assert_int_equal(ip_prefix_parse("192.0.2.0/24", &link), 0);
    *ret_route = (struct netlink_route){.interface = kernel.interface, .mtu = kernel.mtu};
    if (!ip_prefix_contains(&link, destination))
        ret_route->gateway = kernel.gateway;
    // A route of its own, where a prefix is told of it.
    assert_int_equal(ip_prefix_parse("198.51.100.0/24", &link), 0);
    if (kernel.has_other_gateway && ip_prefix_contains(&link, destination))
        ret_route->gateway = ip("192.0.2.253");
    if (kernel.behind_other) {
        assert_int_equal(ip_prefix_parse(kernel.behind_other, &link), 0);
        if (ip_prefix_contains(&link, destination))
            ret_route->interface = OTHER_INTERFACE;
    }
    return 0;
}

int netlink_list_routes(struct netlink *netlink, const struct netlink_route_reader *reader)
{
    struct netlink_route route = {.interface = kernel.gateway_interface, .mtu = kernel.mtu};
    struct ip_prefix prefix;

    (void)netlink;
    if (kernel.list_error)
        return kernel.list_error;
    if (route.interface == 0)
        route.interface = INTERFACE;
    for (unsigned i = 0; i < kernel.gateway_count; i++) {
        route.gateway = ip(kernel.gateways[i]);
        reader->gateway(&route, reader->context);
    }
    for (unsigned i = 0; i < kernel.prefix_count; i++) {
        assert_int_equal(ip_prefix_parse(kernel.prefixes[i], &prefix), 0);
        if (!reader->prefix(&prefix, kernel.spreads, reader->context))
            return 0;
        if (kernel.interrupted > 0) {
            kernel.interrupted--;
            return -EINTR;
        }
    }
    return 0;
}

static bool is_ours(uint32_t interface)
{
    return interface == INTERFACE || (kernel.is_other_ours && interface == OTHER_INTERFACE);
}

static struct netlink_neighbour *find(uint32_t interface, const struct ip_address *address)
{
    for (unsigned i = 0; i < kernel.neighbour_count; i++) {
        if (ip_address_equal(&kernel.neighbours[i].ip, address) &&
            kernel.neighbours[i].interface == interface)
            return &kernel.neighbours[i];
    }
    return NULL;
}

int netlink_get_neighbour(struct netlink *netlink, uint32_t interface,
                          const struct ip_address *address, struct netlink_neighbour *ret_neighbour)
{
    (void)netlink;
    assert_true(is_ours(interface));
    if (!find(interface, address))
        return -ENOENT;
    *ret_neighbour = *find(interface, address);
    return 0;
}

int netlink_manage_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *address)
{
    (void)netlink;
    if (!find(interface, address)) {
        kernel.fresh_questions++;
        kernel.fresh_of_other += interface == OTHER_INTERFACE;
        kernel.neighbours[kernel.neighbour_count++] = (struct netlink_neighbour){
            .ip = *address, .interface = interface, .state = NUD_INCOMPLETE};
    }
    find(interface, address)->protocol = NETLINK_PROTOCOL;
    find(interface, address)->managed = kernel.manages;
    return 0;
}

int netlink_delete_neighbour(struct netlink *netlink, uint32_t interface,
                             const struct ip_address *address)
{
    (void)netlink;
    struct netlink_neighbour *found = find(interface, address);

    if (!found)
        return -ENOENT;
    kernel.neighbour_count--;
    *found = kernel.neighbours[kernel.neighbour_count];
    return 0;
}

int netlink_get_link(struct netlink *netlink, uint32_t interface, bool *ret_is_running)
{
    (void)netlink;
    assert_true(is_ours(interface));
    if (kernel.deleted == interface)
        return -ENODEV;
    *ret_is_running = !(interface == INTERFACE ? kernel.link_is_down : kernel.other_link_is_down);
    return 0;
}

int netlink_list_neighbours(struct netlink *netlink, uint32_t interface,
                            void (*take)(const struct netlink_neighbour *neighbour, void *context),
                            void *context)
{
    struct netlink_neighbour listed[NEIGHBOURS_MAX];
    unsigned listed_count = kernel.neighbour_count;

    (void)netlink;
    (void)interface;
    memcpy(listed, kernel.neighbours, sizeof(listed));
    for (unsigned i = 0; i < listed_count; i++)
        take(&listed[i], context);
    return 0;
}

int netlink_receive(struct netlink *netlink, const struct netlink_news *news)
{
    (void)netlink;
    if (kernel.news)
        news->neighbour(kernel.news, news->context);
    if (kernel.route_news)
        news->routes(news->context);
    if (kernel.deleted)
        news->link_gone(kernel.deleted, news->context);
    if (kernel.link_news) {
        news->link(OTHER_INTERFACE,
                   kernel.is_other_ours ? !kernel.other_link_is_down : kernel.link_is_down,
                   news->context);
        news->link(INTERFACE, !kernel.link_is_down, news->context);
    }
    kernel.news = NULL;
    kernel.route_news = false;
    kernel.link_news = false;
    return kernel.news_lost ? -ENOBUFS : 0;
}

static const struct next_hops_config config = {
    .interfaces = {{INTERFACE, {2, 0, 0, 0, 0, 1}, 1500}},
    .interface_count = 1,
    .adjacencies = 8,
    .destinations = 16,
};

static int set_up(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.gateway = ip("192.0.2.254");
    kernel.interface = INTERFACE;
    kernel.manages = true;
    kernel.list_error = -EPERM;
    return next_hops_create(&config, (struct next_hops **)state);
}

static void list(const char *prefix)
{
    kernel.prefixes[kernel.prefix_count++] = prefix;
}

static void begin_listed(void)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.gateway = ip("192.0.2.254");
    kernel.interface = INTERFACE;
    kernel.manages = true;
    list("0.0.0.0/0");
    list("192.0.2.0/24");
    list("192.0.2.1/32");
}

static int set_up_ranges(void **state)
{
    begin_listed();
    return next_hops_create(&config, (struct next_hops **)state);
}

static int set_up_gateways(void **state)
{
    begin_listed();
    kernel.gateways[kernel.gateway_count++] = "192.0.2.254";
    return next_hops_create(&config, (struct next_hops **)state);
}

static int tear_down(void **state)
{
    if (*state)
        next_hops_destroy(*state);
    return 0;
}

static uint32_t resolve(struct next_hops *hops, const char *destination)
{
    const struct ip_address to = ip(destination), from = ip("192.0.2.1");
    bool changed;

    return next_hops_resolve(hops, &to, &from, &changed);
}

static bool resolve_says_moved(struct next_hops *hops, const char *destination)
{
    const struct ip_address to = ip(destination), from = ip("192.0.2.1");
    bool changed;

    next_hops_resolve(hops, &to, &from, &changed);
    return changed;
}

static void say(struct next_hops *hops, const char *address, uint16_t nud, uint8_t mac)
{
    struct netlink_neighbour said = {
        .ip = ip(address), .interface = INTERFACE, .state = nud, .mac = {2, 0, 0, 0, 0, mac}};

    kernel.news = &said;
    assert_false(next_hops_receive(hops));
}

static void forget_changes(struct next_hops *hops)
{
    struct adjacency adjacency;
    uint32_t index;

    while (next_hops_take_changed(hops, &index, &adjacency))
        ;
}

static struct next_hops_usage usage_of(const struct next_hops *hops)
{
    struct next_hops_usage usage;

    next_hops_get_usage(hops, &usage);
    return usage;
}

static void what_is_behind_one_gateway_has_one_adjacency(void **state)
{
    uint32_t index = resolve(*state, "198.51.100.1");

    assert_int_not_equal(index, ADJACENCY_NONE);
    assert_int_equal(resolve(*state, "203.0.113.1"), index);
    assert_int_not_equal(resolve(*state, "192.0.2.7"), index);
    assert_int_equal(kernel.neighbour_count, 2);
    assert_true(kernel.neighbours[0].managed);
    assert_int_equal(usage_of(*state).adjacencies, 2);
    assert_int_equal(usage_of(*state).destinations, 3);
}

static void the_kernel_is_asked_once_for_a_destination(void **state)
{
    for (unsigned i = 0; i < 5; i++)
        resolve(*state, "198.51.100.1");
    assert_int_equal(kernel.route_questions, 1);
}

static void workers_are_told_of_each_change_once(void **state)
{
    struct adjacency adjacency;
    uint32_t told, index = resolve(*state, "192.0.2.7");

    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(told, index);
    assert_false(adjacency.resolved);
    assert_false(next_hops_have_changed(*state));

    say(*state, "192.0.2.7", NUD_REACHABLE, 9);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(told, index);
    assert_true(adjacency.resolved);
    assert_int_equal(adjacency.destination_mac[5], 9);
    assert_memory_equal(adjacency.source_mac, config.interfaces[0].mac, 6);
    assert_int_equal(adjacency.mtu, 1500);

    say(*state, "192.0.2.7", NUD_STALE, 9);     // as good as before
    say(*state, "192.0.2.8", NUD_REACHABLE, 8); // nobody's next hop
    assert_false(next_hops_have_changed(*state));
    say(*state, "192.0.2.7", NUD_REACHABLE, 10);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(adjacency.destination_mac[5], 10);
    say(*state, "192.0.2.7", NUD_FAILED, 0);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_false(adjacency.resolved);
}

static void news_of_other_interfaces_do_not_count(void **state)
{
    struct netlink_neighbour said = {
        .ip = ip("192.0.2.7"), .interface = OTHER_INTERFACE, .state = NUD_REACHABLE};

    resolve(*state, "192.0.2.7");
    forget_changes(*state);
    kernel.news = &said;
    next_hops_receive(*state);
    assert_false(next_hops_have_changed(*state));
}

static void there_is_no_way_through_another_interface(void **state)
{
    kernel.interface = OTHER_INTERFACE;
    assert_int_equal(resolve(*state, "198.51.100.1"), ADJACENCY_NONE);
    kernel.route_error = -ENETUNREACH;
    assert_int_equal(resolve(*state, "198.51.100.2"), ADJACENCY_NONE);
    assert_int_equal(kernel.neighbour_count, 0);
    assert_false(next_hops_have_changed(*state));
}

// Of two interfaces.

static const struct next_hops_config both = {
    .interfaces = {{INTERFACE, {2, 0, 0, 0, 0, 1}, 1500},
                   {OTHER_INTERFACE, {2, 0, 0, 0, 0, 2}, 9000}},
    .interface_count = 2,
    .adjacencies = 8,
    .destinations = 16,
};

static int set_up_both(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.gateway = ip("192.0.2.254");
    kernel.interface = INTERFACE;
    kernel.manages = true;
    kernel.list_error = -EPERM;
    kernel.is_other_ours = true;
    kernel.behind_other = "203.0.113.0/24";
    return next_hops_create(&both, (struct next_hops **)state);
}

static void say_by(struct next_hops *hops, uint32_t interface, const char *address, uint16_t nud,
                   uint8_t mac)
{
    struct netlink_neighbour said = {
        .ip = ip(address), .interface = interface, .state = nud, .mac = {2, 0, 0, 0, 0, mac}};

    kernel.news = &said;
    assert_false(next_hops_receive(hops));
}

// On both, gateways may have one address.
static void each_of_two_interfaces_has_next_hops_of_its_own(void **state)
{
    uint32_t first = resolve(*state, "198.51.100.1"), second = resolve(*state, "203.0.113.1");
    struct adjacency adjacency;
    uint32_t told;

    assert_int_not_equal(first, ADJACENCY_NONE);
    assert_int_not_equal(second, ADJACENCY_NONE);
    assert_int_not_equal(first, second);
    assert_int_equal(kernel.neighbour_count, 2);
    assert_int_equal(kernel.neighbours[0].interface, INTERFACE);
    assert_int_equal(kernel.neighbours[1].interface, OTHER_INTERFACE);
    forget_changes(*state);
    say_by(*state, OTHER_INTERFACE, "192.0.2.254", NUD_REACHABLE, 5);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(told, second);
    assert_int_equal(adjacency.port, 1);
    assert_int_equal(adjacency.mtu, 9000);
    assert_int_equal(adjacency.source_mac[5], 2);
    assert_int_equal(adjacency.destination_mac[5], 5);
    assert_false(next_hops_have_changed(*state));
    say_by(*state, INTERFACE, "192.0.2.254", NUD_REACHABLE, 6);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(told, first);
    assert_int_equal(adjacency.port, 0);
    assert_int_equal(adjacency.mtu, 1500);
    assert_int_equal(adjacency.source_mac[5], 1);
    assert_int_equal(adjacency.destination_mac[5], 6);
}

static void a_route_that_moves_to_the_other_interface_is_said_anew(void **state)
{
    uint32_t before = resolve(*state, "203.0.113.1");

    kernel.behind_other = NULL;
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "203.0.113.1"));
    assert_int_not_equal(resolve(*state, "203.0.113.1"), before);
    next_hops_end_walk(*state);
    // And the kernel is left without the neighbour that nobody needs.
    assert_int_equal(kernel.neighbour_count, 1);
    assert_int_equal(kernel.neighbours[0].interface, INTERFACE);
}

static void a_link_that_comes_up_has_its_own_neighbours_asked(void **state)
{
    resolve(*state, "198.51.100.1");
    resolve(*state, "203.0.113.1");
    kernel.other_link_is_down = true;
    kernel.link_news = true;
    next_hops_receive(*state);
    assert_int_equal(kernel.fresh_of_other, 1);
    kernel.other_link_is_down = false;
    kernel.link_news = true;
    next_hops_receive(*state);
    assert_int_equal(kernel.fresh_of_other, 2);
    next_hops_insist(*state);
    assert_int_equal(kernel.fresh_of_other, 3);
    assert_int_equal(kernel.fresh_questions, 4);
}

static void who_is_silent_is_asked_while_the_other_link_is_down(void **state)
{
    resolve(*state, "198.51.100.1");
    say_by(*state, INTERFACE, "192.0.2.254", NUD_FAILED, 0);
    kernel.neighbours[0].state = NUD_FAILED;
    kernel.other_link_is_down = true;
    kernel.link_news = true;
    next_hops_receive(*state);
    for (unsigned i = 0; i < 10; i++)
        next_hops_insist(*state);
    assert_int_equal(kernel.fresh_questions, 2);
}

static void either_interface_may_be_gone(void **state)
{
    kernel.deleted = OTHER_INTERFACE;
    next_hops_receive(*state);
    assert_true(next_hops_interface_is_gone(*state));
}

static void nothing_is_left_on_either_interface(void **state)
{
    resolve(*state, "198.51.100.1");
    resolve(*state, "203.0.113.1");
    next_hops_destroy(*state);
    *state = NULL;
    assert_int_equal(kernel.neighbour_count, 0);
}

static void a_route_may_have_a_smaller_mtu(void **state)
{
    struct adjacency adjacency;
    uint32_t index, wide = resolve(*state, "198.51.100.1");

    forget_changes(*state);
    kernel.mtu = 1400;
    assert_int_not_equal(resolve(*state, "203.0.113.1"), wide);
    assert_true(next_hops_take_changed(*state, &index, &adjacency));
    assert_int_equal(adjacency.mtu, 1400);
    // One neighbour, told to both.
    assert_int_equal(kernel.neighbour_count, 1);
    say(*state, "192.0.2.254", NUD_REACHABLE, 3);
    assert_int_equal(usage_of(*state).resolved, 2);
    // It is kept for the one when the other goes.
    next_hops_begin_walk(*state, false);
    resolve(*state, "203.0.113.1");
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_int_equal(kernel.neighbour_count, 1);
}

static void a_route_may_not_have_a_larger_mtu(void **state)
{
    struct adjacency adjacency;
    uint32_t index;

    kernel.mtu = 9000;
    resolve(*state, "198.51.100.1");
    assert_true(next_hops_take_changed(*state, &index, &adjacency));
    assert_int_equal(adjacency.mtu, 1500);
}

static void a_source_that_the_kernel_does_not_know_is_left_out(void **state)
{
    kernel.source_error = -EINVAL;
    assert_int_not_equal(resolve(*state, "198.51.100.1"), ADJACENCY_NONE);
    kernel.source_error = -ENETUNREACH;
    assert_int_equal(resolve(*state, "198.51.100.2"), ADJACENCY_NONE);
}

static void what_a_walk_does_not_meet_is_forgotten(void **state)
{
    uint32_t kept = resolve(*state, "198.51.100.1"), gone = resolve(*state, "192.0.2.7"), told;
    struct adjacency adjacency;

    say(*state, "192.0.2.7", NUD_REACHABLE, 9);
    forget_changes(*state);
    next_hops_begin_walk(*state, false);
    assert_int_equal(resolve(*state, "198.51.100.1"), kept);
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).destinations, 1);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_int_equal(kernel.neighbour_count, 1);
    assert_true(next_hops_take_changed(*state, &told, &adjacency));
    assert_int_equal(told, gone);
    assert_false(adjacency.resolved);
}

static void what_comes_during_a_walk_stays(void **state)
{
    next_hops_begin_walk(*state, false);
    resolve(*state, "192.0.2.7");
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).destinations, 1);
}

static void a_walk_for_routes_says_what_has_moved(void **state)
{
    uint32_t before = resolve(*state, "198.51.100.1");

    resolve(*state, "192.0.2.7");
    kernel.gateway = ip("192.0.2.253");
    kernel.route_news = true;
    assert_true(next_hops_receive(*state));
    assert_false(next_hops_receive(*state));
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "198.51.100.1"));
    assert_true(
        resolve_says_moved(*state, "198.51.100.1")); // each allocation that uses it has to know
    assert_false(resolve_says_moved(*state, "192.0.2.7"));
    assert_int_not_equal(resolve(*state, "198.51.100.1"), before);
    // Until all have moved, the old number is nobody else's.
    assert_int_not_equal(resolve(*state, "192.0.2.8"), before);
    next_hops_end_walk(*state);
    assert_false(resolve_says_moved(*state, "198.51.100.1"));
    assert_null(find(INTERFACE, &(struct ip_address){{192, 0, 2, 254}, IP_FAMILY_V4}));
    assert_int_equal(resolve(*state, "192.0.2.9"), before);
}

static void an_interface_that_goes_is_missed_when_it_is_ours(void **state)
{
    kernel.deleted = INTERFACE + 1;
    next_hops_receive(*state);
    assert_false(next_hops_interface_is_gone(*state));
    kernel.deleted = INTERFACE;
    next_hops_receive(*state);
    assert_true(next_hops_interface_is_gone(*state));
}

static void lost_news_are_asked_for(void **state)
{
    resolve(*state, "192.0.2.7");
    forget_changes(*state);
    kernel.neighbours[0].state = NUD_REACHABLE;
    kernel.news_lost = true;
    assert_true(next_hops_receive(*state));
    assert_int_equal(usage_of(*state).resolved, 1);
}

static void a_deletion_that_nobody_told_of_is_noticed(void **state)
{
    next_hops_receive(*state);
    assert_false(next_hops_interface_is_gone(*state));
    kernel.news_lost = true;
    next_hops_receive(*state);
    assert_false(next_hops_interface_is_gone(*state));
    kernel.deleted = INTERFACE;
    next_hops_receive(*state);
    assert_true(next_hops_interface_is_gone(*state));
}

static void say_link(struct next_hops *hops, bool is_down)
{
    kernel.link_is_down = is_down;
    kernel.link_news = true;
    next_hops_receive(hops);
}

// Until then it has asked, and sooner the kernel does not ask again.
static void who_does_not_answer_is_asked_as_soon_as_the_link_is_up(void **state)
{
    resolve(*state, "192.0.2.7");
    resolve(*state, "192.0.2.8");
    say(*state, "192.0.2.8", NUD_REACHABLE, 8);
    say_link(*state, false); // no news
    assert_int_equal(kernel.fresh_questions, 2);
    say_link(*state, true);
    assert_int_equal(kernel.fresh_questions, 2);
    say_link(*state, false);
    assert_int_equal(kernel.fresh_questions, 3);
    assert_int_equal(usage_of(*state).resolved, 1);
}

static void news_of_the_link_that_are_lost_are_asked_for(void **state)
{
    resolve(*state, "192.0.2.7");
    say_link(*state, true);
    kernel.link_is_down = false;
    kernel.news_lost = true;
    next_hops_receive(*state);
    assert_int_equal(kernel.fresh_questions, 2);
}

// Twice a second.
static void insist(struct next_hops *hops)
{
    for (unsigned i = 0; i < 500 / NEXT_HOPS_INSIST_MS; i++)
        next_hops_insist(hops);
}

static void who_has_stopped_answering_is_asked_over_and_over(void **state)
{
    resolve(*state, "192.0.2.7");
    insist(*state); // the kernel still asks
    assert_int_equal(kernel.fresh_questions, 1);
    say(*state, "192.0.2.7", NUD_FAILED, 0);
    for (unsigned i = 2; i < 5; i++) {
        insist(*state);
        assert_int_equal(kernel.fresh_questions, i);
        say(*state, "192.0.2.7", NUD_INCOMPLETE, 0);
    }
    say(*state, "192.0.2.7", NUD_REACHABLE, 9);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 4);
    assert_int_equal(usage_of(*state).resolved, 1);
}

// For two seconds, then as any other: the other end may need a moment to hear.
static void whoever_is_silent_when_the_link_is_up_is_asked_often(void **state)
{
    const unsigned often = 2000 / NEXT_HOPS_INSIST_MS;

    resolve(*state, "192.0.2.7");
    say_link(*state, true);
    say_link(*state, false);
    for (unsigned i = 0; i < often; i++) {
        assert_int_equal(kernel.fresh_questions, 2 + i);
        next_hops_insist(*state);
    }
    assert_int_equal(kernel.fresh_questions, 2 + often);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 3 + often);
}

static void nobody_is_asked_while_the_link_is_down(void **state)
{
    resolve(*state, "192.0.2.7");
    say_link(*state, true);
    say(*state, "192.0.2.7", NUD_FAILED, 0);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 1);
}

static void who_is_not_needed_any_more_is_not_asked(void **state)
{
    resolve(*state, "192.0.2.7");
    say(*state, "192.0.2.7", NUD_FAILED, 0);
    next_hops_begin_walk(*state, false);
    next_hops_end_walk(*state);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 1);
}

static void an_answer_that_nobody_told_of_is_taken(void **state)
{
    resolve(*state, "192.0.2.7");
    say_link(*state, true);
    say(*state, "192.0.2.7", NUD_FAILED, 0);
    kernel.neighbours[0].state = NUD_STALE;
    say_link(*state, false);
    assert_int_equal(kernel.fresh_questions, 1);
    assert_int_equal(usage_of(*state).resolved, 1);
}

// What others keep stays theirs, even if it does not answer.
static void only_entries_of_ours_are_made_anew(void **state)
{
    resolve(*state, "192.0.2.7");
    kernel.neighbours[0].protocol = 99;
    kernel.neighbours[0].managed = true;
    kernel.neighbours[0].state = NUD_FAILED;
    kernel.news = &kernel.neighbours[0];
    next_hops_receive(*state);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 1);
    assert_int_equal(kernel.neighbours[0].protocol, 99);
}

static void what_others_keep_is_used_and_left_alone(void **state)
{
    kernel.neighbours[0] = (struct netlink_neighbour){.ip = ip("192.0.2.7"),
                                                      .interface = INTERFACE,
                                                      .state = NUD_PERMANENT,
                                                      .mac = {2, 0, 0, 0, 0, 5}};
    kernel.neighbours[1] = (struct netlink_neighbour){.ip = ip("192.0.2.8"),
                                                      .interface = INTERFACE,
                                                      .state = NUD_REACHABLE,
                                                      .managed = true,
                                                      .protocol = 99};
    kernel.neighbour_count = 2;
    resolve(*state, "192.0.2.7");
    resolve(*state, "192.0.2.8");
    assert_int_equal(usage_of(*state).resolved, 2);
    next_hops_destroy(*state);
    *state = NULL;
    assert_int_equal(kernel.neighbour_count, 2);
    assert_int_equal(kernel.neighbours[0].protocol, 0);
    assert_int_equal(kernel.neighbours[1].protocol, 99);
}

static void nothing_is_left_behind(void **state)
{
    resolve(*state, "192.0.2.7");
    resolve(*state, "198.51.100.1");
    next_hops_destroy(*state);
    *state = NULL;
    assert_int_equal(kernel.neighbour_count, 0);
}

static void what_a_killed_relay_left_is_taken_back(void **state)
{
    next_hops_destroy(*state);
    *state = NULL;
    kernel.neighbours[0] = (struct netlink_neighbour){
        .ip = ip("192.0.2.7"), .interface = INTERFACE, .protocol = NETLINK_PROTOCOL};
    kernel.neighbours[1] =
        (struct netlink_neighbour){.ip = ip("192.0.2.8"), .interface = INTERFACE};
    kernel.neighbour_count = 2;
    assert_int_equal(next_hops_create(&config, (struct next_hops **)state), 0);
    assert_int_equal(kernel.neighbour_count, 1);
    assert_int_equal(kernel.neighbours[0].protocol, 0);
}

static void a_flushed_neighbour_is_resolved_again(void **state)
{
    const struct ip_address address = ip("192.0.2.7");

    resolve(*state, "192.0.2.7");
    kernel.neighbour_count = 0;
    say(*state, "192.0.2.7", NUD_NONE, 0);
    assert_non_null(find(INTERFACE, &address));
}

static void kernels_that_do_not_manage_are_asked_over_and_over(void **state)
{
    const struct ip_address address = ip("192.0.2.7");

    resolve(*state, "192.0.2.7");
    kernel.neighbour_count = 0;
    next_hops_refresh(*state);
    assert_null(find(INTERFACE, &address));
    kernel.manages = false;
    resolve(*state, "192.0.2.8");
    next_hops_refresh(*state);
    assert_non_null(find(INTERFACE, &address));
}

static void a_neighbour_that_others_give_up_is_resolved(void **state)
{
    const struct ip_address address = ip("192.0.2.7");

    kernel.neighbours[0] = (struct netlink_neighbour){
        .ip = address, .interface = INTERFACE, .state = NUD_PERMANENT, .mac = {2, 0, 0, 0, 0, 5}};
    kernel.neighbour_count = 1;
    resolve(*state, "192.0.2.7");
    kernel.neighbour_count = 0;
    say(*state, "192.0.2.7", NUD_NONE, 0);
    assert_non_null(find(INTERFACE, &address));
    assert_int_equal(find(INTERFACE, &address)->protocol, NETLINK_PROTOCOL);
}

static void a_neighbour_that_others_take_over_is_theirs(void **state)
{
    const struct ip_address address = ip("192.0.2.7");

    resolve(*state, "192.0.2.7");
    find(INTERFACE, &address)->state = NUD_PERMANENT; // who made it first stays written in it
    say(*state, "192.0.2.7", NUD_PERMANENT, 5);
    assert_int_equal(usage_of(*state).resolved, 1);
    next_hops_destroy(*state);
    *state = NULL;
    assert_non_null(find(INTERFACE, &address));
}

// Sixteen destinations that nobody asks for again, and one that comes too late.
static void fill_destinations(struct next_hops *hops)
{
    char text[IP_ADDRESS_TEXT_LEN];

    for (unsigned i = 1; i <= config.destinations; i++) {
        snprintf(text, sizeof(text), "198.51.100.%u", i);
        assert_int_not_equal(resolve(hops, text), ADJACENCY_NONE);
    }
    assert_false(next_hops_lack_room(hops));
    assert_int_equal(resolve(hops, "203.0.113.1"), ADJACENCY_NONE);
    assert_true(next_hops_lack_room(hops));
}

static void who_found_no_room_is_told_the_way_later(void **state)
{
    fill_destinations(*state);
    // What is not in use makes room, and a walk for routes then says that there is a way.
    next_hops_begin_walk(*state, false);
    assert_false(resolve_says_moved(*state, "203.0.113.1"));
    next_hops_end_walk(*state);
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "203.0.113.1"));
    assert_int_not_equal(resolve(*state, "203.0.113.1"), ADJACENCY_NONE);
    next_hops_end_walk(*state);
    assert_false(next_hops_lack_room(*state));
}

static void a_range_behind_a_gateway_is_one_destination(void **state)
{
    uint32_t index = resolve(*state, "198.51.100.1");

    assert_int_not_equal(index, ADJACENCY_NONE);
    assert_int_equal(resolve(*state, "203.0.113.1"), index);
    assert_int_equal(resolve(*state, "198.51.100.77"), index);
    assert_int_equal(kernel.route_questions, 1);
    assert_int_equal(usage_of(*state).destinations, 1);
    // What precedes the link is a range of its own.
    assert_int_equal(resolve(*state, "100.64.0.1"), index);
    assert_int_equal(kernel.route_questions, 2);
}

static void on_the_link_each_address_is_a_neighbour(void **state)
{
    uint32_t index = resolve(*state, "192.0.2.7");

    assert_int_not_equal(index, ADJACENCY_NONE);
    assert_int_not_equal(resolve(*state, "192.0.2.8"), index);
    assert_int_equal(resolve(*state, "192.0.2.7"), index);
    assert_non_null(find(INTERFACE, &(struct ip_address){{192, 0, 2, 7}, IP_FAMILY_V4}));
    assert_int_equal(kernel.neighbour_count, 2);
    // The range, and the two.
    assert_int_equal(kernel.route_questions, 3);
}

static void a_range_is_asked_for_once_from_each_source(void **state)
{
    const struct ip_address to = ip("198.51.100.1"), from = ip("192.0.2.9");
    bool changed;

    resolve(*state, "198.51.100.1");
    next_hops_resolve(*state, &to, &from, &changed);
    next_hops_resolve(*state, &to, &from, &changed);
    assert_int_equal(kernel.route_questions, 2);
}

static void where_routes_spread_each_address_is_asked_for(void **state)
{
    next_hops_destroy(*state);
    kernel.spreads = true;
    assert_int_equal(next_hops_create(&config, (struct next_hops **)state), 0);
    resolve(*state, "198.51.100.1");
    resolve(*state, "198.51.100.2");
    assert_int_equal(kernel.route_questions, 2);
}

static void routes_that_change_while_they_are_listed_are_listed_again(void **state)
{
    for (unsigned interrupted = 2; interrupted <= 3; interrupted++) {
        next_hops_destroy(*state);
        kernel.route_questions = 0;
        kernel.interrupted = interrupted;
        assert_int_equal(next_hops_create(&config, (struct next_hops **)state), 0);
        resolve(*state, "198.51.100.1");
        resolve(*state, "198.51.100.2");
        assert_int_equal(kernel.route_questions, interrupted == 2 ? 1 : 2);
    }
}

static void a_new_route_moves_those_in_it_and_no_others(void **state)
{
    uint32_t before = resolve(*state, "198.51.100.1");

    resolve(*state, "203.0.113.1");
    list("198.51.100.0/24");
    kernel.has_other_gateway = true;
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "198.51.100.1"));
    assert_true(resolve_says_moved(*state, "198.51.100.2"));
    assert_false(resolve_says_moved(*state, "198.18.0.1"));
    assert_false(resolve_says_moved(*state, "203.0.113.1"));
    assert_int_not_equal(resolve(*state, "198.51.100.1"), before);
    assert_int_equal(resolve(*state, "203.0.113.1"), before);
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).adjacencies, 2);
}

static void a_route_that_goes_moves_those_that_were_in_it(void **state)
{
    uint32_t other, before;

    next_hops_destroy(*state);
    list("198.51.100.0/24");
    kernel.has_other_gateway = true;
    assert_int_equal(next_hops_create(&config, (struct next_hops **)state), 0);
    other = resolve(*state, "198.51.100.1");
    before = resolve(*state, "203.0.113.1");
    assert_int_not_equal(other, before);

    kernel.prefix_count--;
    kernel.has_other_gateway = false;
    next_hops_begin_walk(*state, true);
    // Whoever is met first.
    assert_false(resolve_says_moved(*state, "203.0.113.1"));
    assert_true(resolve_says_moved(*state, "198.51.100.1"));
    assert_int_equal(resolve(*state, "198.51.100.1"), before);
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_int_equal(usage_of(*state).destinations, 1);
}

static void a_range_that_comes_onto_the_link_moves_its_addresses(void **state)
{
    kernel.gateway = ip("203.0.113.254");
    resolve(*state, "198.51.100.1");
    kernel.gateway = (struct ip_address){0};
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "198.51.100.1"));
    assert_true(resolve_says_moved(*state, "198.51.100.2"));
    assert_int_not_equal(resolve(*state, "198.51.100.1"), resolve(*state, "198.51.100.2"));
    next_hops_end_walk(*state);
    // And back.
    kernel.gateway = ip("203.0.113.254");
    next_hops_begin_walk(*state, true);
    assert_true(resolve_says_moved(*state, "198.51.100.2"));
    assert_true(resolve_says_moved(*state, "198.51.100.1"));
    assert_int_equal(resolve(*state, "198.51.100.1"), resolve(*state, "198.51.100.2"));
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
}

static void who_loses_its_place_in_a_walk_for_routes_is_told(void **state)
{
    char text[IP_ADDRESS_TEXT_LEN];

    resolve(*state, "198.51.100.1");
    kernel.gateway = (struct ip_address){0};
    // From the range to its addresses, which are more than there is room for.
    next_hops_begin_walk(*state, true);
    for (unsigned i = 1; i < 2 * config.destinations; i++) {
        snprintf(text, sizeof(text), "198.51.100.%u", i);
        assert_true(resolve_says_moved(*state, text));
    }
    assert_int_equal(resolve(*state, "198.51.100.99"), ADJACENCY_NONE);
    next_hops_end_walk(*state);
}

static void sweep(struct next_hops *hops)
{
    next_hops_begin_walk(hops, false);
    next_hops_end_walk(hops);
}

static void walk_for_routes(struct next_hops *hops)
{
    next_hops_begin_walk(hops, true);
    next_hops_end_walk(hops);
}

static void a_gateway_is_asked_before_anybody_is_behind_it(void **state)
{
    uint32_t index;

    assert_int_equal(kernel.fresh_questions, 1);
    say(*state, "192.0.2.254", NUD_REACHABLE, 9);
    assert_int_equal(usage_of(*state).resolved, 1);
    index = resolve(*state, "198.51.100.1");
    assert_int_not_equal(index, ADJACENCY_NONE);
    assert_int_equal(usage_of(*state).adjacencies, 1);
}

static void a_gateway_stays_while_a_route_has_it(void **state)
{
    uint32_t index = resolve(*state, "198.51.100.1");

    sweep(*state);
    sweep(*state);
    assert_int_equal(usage_of(*state).destinations, 0);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_int_equal(resolve(*state, "198.51.100.1"), index);
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_int_equal(kernel.fresh_questions, 1);
    kernel.gateways[0] = "192.0.2.253";
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
    assert_null(find(INTERFACE, &(struct ip_address){{192, 0, 2, 254}, IP_FAMILY_V4}));
    assert_non_null(find(INTERFACE, &(struct ip_address){{192, 0, 2, 253}, IP_FAMILY_V4}));
}

static void gateways_stay_when_routes_cannot_be_listed(void **state)
{
    kernel.list_error = -EPERM;
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, 1);
}

// A route may have one that is not there.
static void a_silent_gateway_is_asked_over_and_over_by_those_behind_it(void **state)
{
    say(*state, "192.0.2.254", NUD_FAILED, 0);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 1);
    resolve(*state, "198.51.100.1");
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 2);
}

// What is the host's own may wait for its answer.
static void a_gateway_that_nobody_is_behind_keeps_its_entry(void **state)
{
    say_link(*state, true);
    say_link(*state, false);
    insist(*state);
    say(*state, "192.0.2.254", NUD_FAILED, 0);
    insist(*state);
    assert_int_equal(kernel.fresh_questions, 1);
    resolve(*state, "198.51.100.1");
    say_link(*state, true);
    say_link(*state, false);
    assert_int_equal(kernel.fresh_questions, 2);
}

static void gateways_take_half_of_the_room(void **state)
{
    static const char *const more[] = {"192.0.2.250", "192.0.2.251", "192.0.2.252", "192.0.2.253"};

    for (unsigned i = 0; i < 4; i++)
        kernel.gateways[kernel.gateway_count++] = more[i];
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, config.adjacencies / 2);
    // Those that were there keep their place.
    assert_non_null(find(INTERFACE, &(struct ip_address){{192, 0, 2, 254}, IP_FAMILY_V4}));
    kernel.gateway_count = 0;
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, 0);
}

static void gateways_behind_other_interfaces_do_not_count(void **state)
{
    kernel.gateway_interface = OTHER_INTERFACE;
    walk_for_routes(*state);
    assert_int_equal(usage_of(*state).adjacencies, 0);
}

static void the_bounds_hold_and_everything_comes_back(void **state)
{
    static const char *const many[] = {"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13",
                                       "192.0.2.14", "192.0.2.15", "192.0.2.16"};

    for (unsigned i = 0; i < 7; i++)
        assert_int_not_equal(resolve(*state, many[i]), ADJACENCY_NONE);
    assert_int_equal(resolve(*state, "192.0.2.17"), ADJACENCY_NONE);
    next_hops_begin_walk(*state, false);
    next_hops_end_walk(*state);
    assert_int_equal(usage_of(*state).adjacencies, 0);
    assert_int_equal(usage_of(*state).destinations, 0);
    assert_int_equal(kernel.neighbour_count, 0);
    for (unsigned i = 0; i < 7; i++)
        assert_int_not_equal(resolve(*state, many[i]), ADJACENCY_NONE);
}

int main(void)
{
#define WITH_HOPS(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_RANGES(test) cmocka_unit_test_setup_teardown(test, set_up_ranges, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_of_two_interfaces_has_next_hops_of_its_own,
                                        set_up_both, tear_down),
        cmocka_unit_test_setup_teardown(a_route_that_moves_to_the_other_interface_is_said_anew,
                                        set_up_both, tear_down),
        cmocka_unit_test_setup_teardown(a_link_that_comes_up_has_its_own_neighbours_asked,
                                        set_up_both, tear_down),
        cmocka_unit_test_setup_teardown(who_is_silent_is_asked_while_the_other_link_is_down,
                                        set_up_both, tear_down),
        cmocka_unit_test_setup_teardown(either_interface_may_be_gone, set_up_both, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_is_asked_before_anybody_is_behind_it,
                                        set_up_gateways, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_stays_while_a_route_has_it, set_up_gateways,
                                        tear_down),
        cmocka_unit_test_setup_teardown(gateways_stay_when_routes_cannot_be_listed, set_up_gateways,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_silent_gateway_is_asked_over_and_over_by_those_behind_it,
                                        set_up_gateways, tear_down),
        cmocka_unit_test_setup_teardown(a_gateway_that_nobody_is_behind_keeps_its_entry,
                                        set_up_gateways, tear_down),
        cmocka_unit_test_setup_teardown(gateways_take_half_of_the_room, set_up_gateways, tear_down),
        cmocka_unit_test_setup_teardown(gateways_behind_other_interfaces_do_not_count,
                                        set_up_gateways, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_left_on_either_interface, set_up_both,
                                        tear_down),
        WITH_HOPS(what_is_behind_one_gateway_has_one_adjacency),
        WITH_HOPS(the_kernel_is_asked_once_for_a_destination),
        WITH_HOPS(workers_are_told_of_each_change_once),
        WITH_HOPS(news_of_other_interfaces_do_not_count),
        WITH_HOPS(there_is_no_way_through_another_interface),
        WITH_HOPS(a_route_may_have_a_smaller_mtu),
        WITH_HOPS(a_route_may_not_have_a_larger_mtu),
        WITH_HOPS(a_source_that_the_kernel_does_not_know_is_left_out),
        WITH_HOPS(what_a_walk_does_not_meet_is_forgotten),
        WITH_HOPS(what_comes_during_a_walk_stays),
        WITH_HOPS(a_walk_for_routes_says_what_has_moved),
        WITH_HOPS(an_interface_that_goes_is_missed_when_it_is_ours),
        WITH_HOPS(lost_news_are_asked_for),
        WITH_HOPS(a_deletion_that_nobody_told_of_is_noticed),
        WITH_HOPS(who_does_not_answer_is_asked_as_soon_as_the_link_is_up),
        WITH_HOPS(news_of_the_link_that_are_lost_are_asked_for),
        WITH_HOPS(who_has_stopped_answering_is_asked_over_and_over),
        WITH_HOPS(whoever_is_silent_when_the_link_is_up_is_asked_often),
        WITH_HOPS(nobody_is_asked_while_the_link_is_down),
        WITH_HOPS(who_is_not_needed_any_more_is_not_asked),
        WITH_HOPS(an_answer_that_nobody_told_of_is_taken),
        WITH_HOPS(only_entries_of_ours_are_made_anew),
        WITH_HOPS(what_others_keep_is_used_and_left_alone),
        WITH_HOPS(nothing_is_left_behind),
        WITH_HOPS(what_a_killed_relay_left_is_taken_back),
        WITH_HOPS(a_flushed_neighbour_is_resolved_again),
        WITH_HOPS(kernels_that_do_not_manage_are_asked_over_and_over),
        WITH_HOPS(a_neighbour_that_others_give_up_is_resolved),
        WITH_HOPS(a_neighbour_that_others_take_over_is_theirs),
        WITH_HOPS(who_found_no_room_is_told_the_way_later),
        WITH_HOPS(the_bounds_hold_and_everything_comes_back),
        WITH_RANGES(a_range_behind_a_gateway_is_one_destination),
        WITH_RANGES(on_the_link_each_address_is_a_neighbour),
        WITH_RANGES(a_range_is_asked_for_once_from_each_source),
        WITH_RANGES(where_routes_spread_each_address_is_asked_for),
        WITH_RANGES(routes_that_change_while_they_are_listed_are_listed_again),
        WITH_RANGES(a_new_route_moves_those_in_it_and_no_others),
        WITH_RANGES(a_route_that_goes_moves_those_that_were_in_it),
        WITH_RANGES(a_range_that_comes_onto_the_link_moves_its_addresses),
        WITH_RANGES(who_loses_its_place_in_a_walk_for_routes_is_told),
    };

    return cmocka_run_group_tests_name("control/next_hop", tests, NULL, NULL);
}
