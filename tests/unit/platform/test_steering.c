// SPDX-License-Identifier: BSD-3-Clause
// Claims about rules in a device. The device is a card of software, which takes them in the place
// of DPDK and says where a frame would go.
#include "platform/steering.h"

#include "base/log.h"
#include "base/port_slice.h"
#include "card.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORT    7
#define ARRIVAL 63 // where a frame comes that no rule matches
#define VLAN    42

static struct plane_config plane_config;
static struct steering_config config;
static struct port_facts facts;
static struct steering *steering;
static char said[512];
static unsigned said_count;

// The log is a fake that keeps the last line.
void log_message(enum log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    (void)level;
    (void)event;
    said_count++;
    va_start(arguments, format);
    vsnprintf(said, sizeof(said), format, arguments);
    va_end(arguments);
}

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void add_relay(const char *address, uint16_t min_port, uint16_t max_port)
{
    plane_config.relays[plane_config.relay_count++] = (struct plane_relay){
        .local = address_of(address), .min_port = min_port, .max_port = max_port};
}

static int set_up(void **state)
{
    (void)state;
    card_reset();
    facts.count = 0;
    steering = NULL;
    said_count = 0;
    plane_config = (struct plane_config){.worker_count = 4};
    plane_config.listeners[plane_config.listener_count++] =
        (struct transport_address){address_of("192.0.2.1"), 3478};
    plane_config.listeners[plane_config.listener_count++] =
        (struct transport_address){address_of("2001:db8::1"), 3478};
    add_relay("192.0.2.1", 49152, 65535);
    add_relay("192.0.2.2", 50000, 50999);
    add_relay("2001:db8::1", 49152, 65535);
    config = (struct steering_config){.device = "card", .port = PORT, .plane = &plane_config};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (steering)
        steering_destroy(steering);
    // Whatever came of it, nothing is left in the card.
    return card.live == 0 ? 0 : -1;
}

static const struct port_fact *fact(void)
{
    assert_int_equal(facts.count, 1);
    assert_string_equal(facts.at[0].item, "steering");
    return &facts.at[0];
}

struct frame {
    uint8_t bytes[128];
    size_t len;
};

// Up to the header of what is in it. fragment: offset and flags of IPv4; over IPv6, 0 or with a
// Fragment header.
static uint8_t *frame_begin(struct frame *frame, int vlan, const char *to, uint8_t protocol,
                            uint16_t fragment)
{
    struct ip_address address = address_of(to);
    uint8_t *ip = frame->bytes + 14;

    *frame = (struct frame){.len = sizeof(frame->bytes)};
    if (vlan >= 0) {
        memcpy(frame->bytes + 12, (uint8_t[]){0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan}, 4);
        ip += 4;
    }
    if (address.family == IP_FAMILY_V4) {
        memcpy(ip - 2, (uint8_t[]){0x08, 0x00, 0x45}, 3);
        memcpy(ip + 6, (uint8_t[]){(uint8_t)(fragment >> 8), (uint8_t)fragment, 64, protocol}, 4);
        memcpy(ip + 16, address.bytes, 4);
        return ip + 20;
    }
    memcpy(ip - 2, (uint8_t[]){0x86, 0xDD, 0x60}, 3);
    ip[6] = protocol;
    memcpy(ip + 24, address.bytes, 16);
    if (fragment == 0)
        return ip + 40;
    ip[6] = IPPROTO_FRAGMENT;
    ip[40] = protocol;
    ip[42] = (uint8_t)(fragment >> 8);
    ip[43] = (uint8_t)fragment;
    return ip + 48;
}

static int queue_of(int vlan, const char *to, uint8_t protocol, uint16_t port, uint16_t fragment)
{
    struct frame frame;
    uint8_t *upper = frame_begin(&frame, vlan, to, protocol, fragment);

    upper[2] = (uint8_t)(port >> 8);
    upper[3] = (uint8_t)port;
    return card_queue_of(frame.bytes, frame.len, -1, ARRIVAL);
}

static int udp_queue_of(const char *to, uint16_t port)
{
    return queue_of(-1, to, IPPROTO_UDP, port, 0);
}

static int error_queue_of(const char *to, uint8_t type, uint8_t code)
{
    struct frame frame;
    bool is_v4 = address_of(to).family == IP_FAMILY_V4;
    uint8_t *icmp = frame_begin(&frame, -1, to, is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0);

    icmp[0] = type;
    icmp[1] = code;
    return card_queue_of(frame.bytes, frame.len, -1, ARRIVAL);
}

static int icmp_queue_of(const char *to, uint8_t type)
{
    return error_queue_of(to, type, 0);
}

static void assert_range_comes_to_its_workers(const char *to, uint16_t min_port, uint16_t max_port)
{
    for (uint32_t port = min_port; port <= max_port; port++)
        assert_int_equal(udp_queue_of(to, (uint16_t)port),
                         port_slice_worker((uint16_t)port, plane_config.worker_count));
}

static void each_relay_port_comes_to_the_worker_that_owns_it(void **state)
{
    (void)state;
    for (uint16_t workers = 2; workers <= 7; workers++) {
        plane_config.worker_count = workers;
        facts.count = 0;
        assert_int_equal(steering_create(&config, &facts, &steering), 0);
        assert_non_null(steering);
        assert_range_comes_to_its_workers("192.0.2.1", 49152, 65535);
        assert_range_comes_to_its_workers("192.0.2.2", 50000, 50999);
        assert_range_comes_to_its_workers("2001:db8::1", 49152, 65535);
        steering_destroy(steering);
        steering = NULL;
        assert_int_equal(card.live, 0);
    }
    assert_int_equal(said_count, 0);
}

static void all_else_comes_as_before(void **state)
{
    (void)state;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_int_equal(udp_queue_of("192.0.2.1", 3478), ARRIVAL);
    assert_int_equal(udp_queue_of("2001:db8::1", 3478), ARRIVAL);
    assert_int_equal(udp_queue_of("192.0.2.3", 50000), ARRIVAL);
    assert_int_equal(queue_of(-1, "192.0.2.1", IPPROTO_TCP, 50000, 0), ARRIVAL);
    assert_int_equal(queue_of(-1, "192.0.2.1", IPPROTO_UDP, 50000, 0x0010), ARRIVAL);
    assert_int_equal(icmp_queue_of("192.0.2.1", 3), ARRIVAL);
}

static void says_that_it_steers(void **state)
{
    (void)state;
    plane_config.relay_count = 1;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_string_equal(fact()->used, "rte_flow, 4 rules");
    assert_string_equal(fact()->why, "what is for a relay port comes to its worker");
}

static void on_a_vlan_rules_match_its_frames_alone(void **state)
{
    (void)state;
    config.vlan = VLAN;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    for (uint16_t port = 50000; port < 50200; port++) {
        int owner = port_slice_worker(port, plane_config.worker_count);

        assert_int_equal(queue_of(VLAN, "192.0.2.1", IPPROTO_UDP, port, 0), owner);
        assert_int_equal(queue_of(VLAN, "2001:db8::1", IPPROTO_UDP, port, 0), owner);
        assert_int_equal(queue_of(VLAN + 1, "192.0.2.1", IPPROTO_UDP, port, 0), ARRIVAL);
        assert_int_equal(queue_of(-1, "192.0.2.1", IPPROTO_UDP, port, 0), ARRIVAL);
    }
}

static void one_worker_needs_no_rules(void **state)
{
    (void)state;
    plane_config.worker_count = 1;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_null(steering);
    assert_int_equal(card.made, 0);
    assert_string_equal(fact()->used, "no");
    assert_string_equal(fact()->why, "there is one worker");
}

static void rules_of_a_relay_that_was_killed_make_way(void **state)
{
    struct steering *killed = NULL;

    (void)state;
    assert_int_equal(steering_create(&config, &facts, &killed), 0);
    plane_config.relay_count = 1;
    facts.count = 0;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_string_equal(fact()->used, "rte_flow, 4 rules");
    assert_int_equal(card.live, 4);
    free(killed);
}

static void rules_of_a_relay_that_was_killed_are_gone_where_none_are_made(void **state)
{
    struct steering *killed = NULL;

    (void)state;
    assert_int_equal(steering_create(&config, &facts, &killed), 0);
    facts.count = 0;
    plane_config.worker_count = 1;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_null(steering);
    assert_int_equal(card.live, 0);
    free(killed);
}

static void falls_back(const char *why)
{
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    assert_null(steering);
    assert_int_equal(card.live, 0);
    assert_string_equal(fact()->used, "hand-off");
    assert_string_equal(fact()->why, why);
}

static void a_driver_without_rules_leaves_it_to_the_workers(void **state)
{
    (void)state;
    card.knows_rules = false;
    falls_back("no rules: Function not implemented; what is others' goes by ring");
}

static void a_card_without_masks_is_asked_for_nothing_else(void **state)
{
    (void)state;
    card.knows_masks = false;
    falls_back("no rules: the card cannot do that; what is others' goes by ring");
    assert_int_equal(card.made, 0);
}

static void of_rules_that_find_no_place_none_stays(void **state)
{
    (void)state;
    card.capacity = 7;
    falls_back("no rules: no place for a rule; what is others' goes by ring");
    assert_int_equal(card.made, 7);
}

static void a_rule_that_was_good_and_cannot_be_made_takes_the_others_with_it(void **state)
{
    (void)state;
    card.fails_at = 1;
    falls_back("no rules: no place for a rule; what is others' goes by ring");
    facts.count = 0;
    card_reset();
    card.fails_at = 12;
    falls_back("no rules: no place for a rule; what is others' goes by ring");
    assert_int_equal(card.made, 11);
}

static void more_rules_than_a_card_has_places_for_are_not_tried(void **state)
{
    (void)state;
    plane_config.worker_count = 64;
    plane_config.relay_count = 0;
    for (unsigned i = 10; i < 27; i++) {
        char text[IP_ADDRESS_TEXT_LEN];

        snprintf(text, sizeof(text), "198.51.100.%u", i);
        add_relay(text, 49152, 65535);
    }
    falls_back("no rules: it would take 1088, more than 1024; what is others' goes by ring");
    assert_int_equal(card.made, 0);
}

static int isolate(void)
{
    int error = steering_isolate("card", PORT);

    config.is_isolated = true;
    return error ? error : steering_create(&config, &facts, &steering);
}

static void isolated_it_delivers_what_is_ours_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(isolate(), 0);
    assert_true(card.is_isolated);
    assert_range_comes_to_its_workers("192.0.2.1", 49152, 65535);
    assert_range_comes_to_its_workers("192.0.2.2", 50000, 50999);
    assert_in_range(udp_queue_of("192.0.2.1", 3478), 0, 3);
    assert_in_range(udp_queue_of("2001:db8::1", 3478), 0, 3);
    assert_int_equal(icmp_queue_of("192.0.2.1", 3), 0);
    assert_int_equal(icmp_queue_of("192.0.2.1", 11), 0);
    for (uint8_t type = 1; type <= 3; type++)
        assert_int_equal(icmp_queue_of("2001:db8::1", type), 0);
    // The kernel's: its own sockets, ping, neighbours, other addresses.
    assert_int_equal(udp_queue_of("192.0.2.1", 53), CARD_NOWHERE);
    assert_int_equal(udp_queue_of("192.0.2.2", 49999), CARD_NOWHERE);
    assert_int_equal(udp_queue_of("192.0.2.2", 51000), CARD_NOWHERE);
    assert_int_equal(udp_queue_of("192.0.2.9", 50000), CARD_NOWHERE);
    assert_int_equal(queue_of(-1, "192.0.2.1", IPPROTO_TCP, 3478, 0), CARD_NOWHERE);
    assert_int_equal(icmp_queue_of("192.0.2.1", 8), CARD_NOWHERE);
    assert_int_equal(icmp_queue_of("2001:db8::1", 135), CARD_NOWHERE);
    assert_non_null(strstr(fact()->used, "rte_flow, "));
    assert_string_equal(fact()->why, "all that is the relay's, the rest is the kernel's");
}

// RFC 1191, RFC 8201.
static void isolated_it_delivers_what_is_too_big_for_the_path_to_a_client(void **state)
{
    (void)state;
    plane_config.listeners[plane_config.listener_count++] =
        (struct transport_address){address_of("192.0.2.9"), 3478};
    plane_config.listeners[plane_config.listener_count++] =
        (struct transport_address){address_of("2001:db8::9"), 3478};
    assert_int_equal(isolate(), 0);
    assert_int_equal(error_queue_of("192.0.2.9", 3, 4), 0);
    assert_int_equal(error_queue_of("2001:db8::9", 2, 0), 0);
    assert_int_equal(error_queue_of("2001:db8::9", 2, 7), 0); // RFC 4443 section 3.2: whatever code
    assert_int_equal(error_queue_of("192.0.2.1", 3, 4), 0);
    assert_int_equal(error_queue_of("2001:db8::1", 2, 0), 0);
    // Of the host's own sockets.
    assert_int_equal(error_queue_of("192.0.2.9", 3, 3), CARD_NOWHERE);
    assert_int_equal(error_queue_of("192.0.2.9", 11, 0), CARD_NOWHERE);
    assert_int_equal(error_queue_of("2001:db8::9", 1, 4), CARD_NOWHERE);
    assert_int_equal(error_queue_of("2001:db8::9", 3, 0), CARD_NOWHERE);
}

static void isolated_it_delivers_udp_in_fragments_all_pieces_together(void **state)
{
    static const struct {
        const char *to;
        uint16_t fragments[3]; // offset and more to come
    } cases[] = {
        {"192.0.2.1", {0x2000, 0x2010, 0x0020}},
        {"192.0.2.2", {0x2000, 0x2010, 0x0020}},
        {"2001:db8::1", {0x0001, 0x0011, 0x0020}},
    };

    (void)state;
    assert_int_equal(isolate(), 0);
    for (unsigned i = 0; i < 3; i++) {
        int first = queue_of(-1, cases[i].to, IPPROTO_UDP, 50000, cases[i].fragments[0]);

        assert_in_range(first, 0, 3);
        for (unsigned j = 1; j < 3; j++) {
            uint16_t fragment = cases[i].fragments[j];

            assert_int_equal(queue_of(-1, cases[i].to, IPPROTO_UDP, 1, fragment), first);
            assert_int_equal(queue_of(-1, cases[i].to, IPPROTO_TCP, 1, fragment), CARD_NOWHERE);
        }
    }
}

static void isolated_one_worker_gets_all_that_is_ours(void **state)
{
    (void)state;
    plane_config.worker_count = 1;
    assert_int_equal(isolate(), 0);
    assert_int_equal(udp_queue_of("192.0.2.1", 3478), 0);
    assert_int_equal(udp_queue_of("192.0.2.1", 49152), 0);
    assert_int_equal(udp_queue_of("192.0.2.1", 49151), CARD_NOWHERE);
    assert_int_equal(queue_of(-1, "192.0.2.1", IPPROTO_UDP, 1, 0x0020), 0);
}

static void a_driver_that_does_not_isolate_is_refused(void **state)
{
    (void)state;
    card.can_isolate = false;
    assert_int_equal(steering_isolate("card", PORT), -ENOSYS);
    assert_non_null(strstr(said, "card is no device that the kernel keeps beside us"));
}

static void an_isolated_card_that_refuses_a_rule_is_refused(void **state)
{
    (void)state;
    card.knows_masks = false;
    assert_int_equal(isolate(), -ENOTSUP);
    assert_null(steering);
    assert_int_equal(facts.count, 0);
    assert_non_null(strstr(said, "card refuses rules, without which it delivers nothing: the card "
                                 "cannot do that"));
}

static struct worker_counters counters[4];
static struct plane plane = {.counters = counters};

static void look(uint64_t foreign, uint64_t reassembled, uint64_t relayed)
{
    memset(counters, 0, sizeof(counters));
    plane.config.worker_count = 4;
    counters[0].counters[COUNTER_FOREIGN_PEERS] = foreign / 2;
    counters[3].counters[COUNTER_FOREIGN_PEERS] = foreign - foreign / 2;
    counters[1].counters[COUNTER_REASSEMBLED] = reassembled;
    counters[2].counters[COUNTER_PEER_TO_CHANNEL] = relayed / 2;
    counters[1].counters[COUNTER_PEER_TO_DATA] = relayed - relayed / 2;
    steering_look(steering, &plane, &facts);
}

static void a_card_that_does_otherwise_than_its_rules_is_found_out_once(void **state)
{
    (void)state;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    look(1000, 0, 2000);
    assert_int_equal(said_count, 1);
    assert_non_null(strstr(said, "1000 datagrams for relay ports came to other workers"));
    assert_string_equal(fact()->used, "hand-off");
    assert_non_null(strstr(fact()->why, "rules and does otherwise"));
    look(5000, 0, 6000);
    assert_int_equal(said_count, 1);
}

static void a_card_that_does_as_its_rules_say_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(steering_create(&config, &facts, &steering), 0);
    look(0, 0, 1000000);
    // Before it had its rules, in fragments, or with options: no rule is for these.
    look(999, 0, 0);
    look(5000, 5000, 10000);
    look(10000, 0, 1000000);
    assert_int_equal(said_count, 0);
    assert_non_null(strstr(fact()->used, "rte_flow"));
    look(10001, 0, 1000000);
    assert_int_equal(said_count, 1);
}

static void without_rules_there_is_nothing_to_find_out(void **state)
{
    (void)state;
    look(1000000, 0, 1000000);
    assert_int_equal(said_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_relay_port_comes_to_the_worker_that_owns_it),
        TEST(all_else_comes_as_before),
        TEST(says_that_it_steers),
        TEST(on_a_vlan_rules_match_its_frames_alone),
        TEST(one_worker_needs_no_rules),
        TEST(rules_of_a_relay_that_was_killed_make_way),
        TEST(rules_of_a_relay_that_was_killed_are_gone_where_none_are_made),
        TEST(a_driver_without_rules_leaves_it_to_the_workers),
        TEST(a_card_without_masks_is_asked_for_nothing_else),
        TEST(of_rules_that_find_no_place_none_stays),
        TEST(a_rule_that_was_good_and_cannot_be_made_takes_the_others_with_it),
        TEST(more_rules_than_a_card_has_places_for_are_not_tried),
        TEST(isolated_it_delivers_what_is_ours_and_nothing_else),
        TEST(isolated_it_delivers_what_is_too_big_for_the_path_to_a_client),
        TEST(isolated_it_delivers_udp_in_fragments_all_pieces_together),
        TEST(isolated_one_worker_gets_all_that_is_ours),
        TEST(a_driver_that_does_not_isolate_is_refused),
        TEST(an_isolated_card_that_refuses_a_rule_is_refused),
        TEST(a_card_that_does_otherwise_than_its_rules_is_found_out_once),
        TEST(a_card_that_does_as_its_rules_say_is_trusted),
        TEST(without_rules_there_is_nothing_to_find_out),
    };

    return cmocka_run_group_tests_name("platform/steering", tests, NULL, NULL);
}
