// SPDX-License-Identifier: BSD-3-Clause
// Claims about a device that the relay owns whole: what is the kernel's reaches it, what is wrong
// with the relay's own does not, and neither way holds up media.
#include "rig.h"

#include "dataplane/kernel_path.h"

#define RING_LEN  128 // one less fits
#define HOST_V4   RELAY_V4_LOCAL ":53"
#define HOST_V6   "[" RELAY_V6 "]:53"
#define STRANGER  "192.0.2.99:53"
#define FAR_V4    "192.0.2.200:7000"
#define FAR_V6    "[2001:db8:200::200]:7000"
#define LIVE_PORT ":50112"

enum { ICMP = 1, TCP = 6, UDP = 17, ESP = 50, ICMPV6 = 58 };

static int set_up_workers(void **state, uint16_t worker_count)
{
    struct plane_config config;
    rig_config(&config, worker_count);
    config.kernel_ring_len = RING_LEN;
    *state = rig_create(&config);
    return 0;
}

static int set_up(void **state)
{
    return set_up_workers(state, 1);
}

static int set_up_two(void **state)
{
    return set_up_workers(state, 2);
}

static size_t udp(uint8_t *ret_frame, const char *source, const char *destination)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = rig_data, .len = 40};
    return wire_write(&wire, ret_frame);
}

static size_t ipv4(uint8_t *ret_frame, uint8_t protocol, const char *destination)
{
    size_t len = udp(ret_frame, FAR_V4, destination);
    ret_frame[23] = protocol;
    wire_fix_ipv4(ret_frame);
    return len;
}

static size_t ipv6(uint8_t *ret_frame, uint8_t next_header)
{
    size_t len = udp(ret_frame, FAR_V6, HOST_V6);
    ret_frame[20] = next_header;
    return len;
}

// This frame and no other is the kernel's, byte for byte, and nothing else has happened to it.
static void assert_passed(struct rig *rig, const uint8_t *frame, size_t len)
{
    static uint8_t passed[RIG_FRAME_MAX];
    uint64_t before = rig_counter(rig, COUNTER_TO_KERNEL);
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_to_kernel(rig, 0, passed), len);
    assert_memory_equal(passed, frame, len);
    assert_int_equal(rig_to_kernel(rig, 0, passed), 0);
    assert_int_equal(rig_counter(rig, COUNTER_TO_KERNEL), before + 1);
    rig_sent_nothing(rig);
}

static void assert_dropped(struct rig *rig, const uint8_t *frame, size_t len, enum drop drop)
{
    static uint8_t passed[RIG_FRAME_MAX];
    uint64_t before = rig_drops(rig, drop);
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_to_kernel(rig, 0, passed), 0);
    assert_int_equal(rig_drops(rig, drop), before + 1);
}

static void passes_what_is_no_ip_or_for_a_group(void **state)
{
    uint8_t frame[256];
    size_t len = udp(frame, FAR_V4, HOST_V4);
    store_be16(frame + 12, 0x0806); // ARP
    assert_passed(*state, frame, len);
    store_be16(frame + 12, 0x8100); // a VLAN
    assert_passed(*state, frame, len);
    len = udp(frame, FAR_V4, LISTENER_V4);
    memset(frame, 0xFF, 6);
    assert_passed(*state, frame, len);
}

static void passes_other_protocols_and_other_ports(void **state)
{
    uint8_t frame[256];
    assert_passed(*state, frame, udp(frame, FAR_V4, HOST_V4));
    assert_passed(*state, frame, udp(frame, FAR_V6, HOST_V6));
    assert_passed(*state, frame, udp(frame, FAR_V4, STRANGER));
    assert_passed(*state, frame, ipv4(frame, TCP, LISTENER_V4));
    assert_passed(*state, frame, ipv6(frame, TCP));
    assert_passed(*state, frame, ipv6(frame, ESP));
}

static void passes_icmp_that_is_about_nothing_of_ours(void **state)
{
    uint8_t frame[256];
    size_t len = ipv4(frame, ICMP, HOST_V4);
    frame[34] = 8; // echo
    assert_passed(*state, frame, len);
    len = ipv6(frame, ICMPV6);
    frame[54] = 135; // neighbour solicitation
    assert_passed(*state, frame, len);
    assert_passed(*state, frame, ipv4(frame, ICMP, STRANGER));
}

// The kernel's tunnels may do without a checksum over IPv6, and its clients without a source port.
static void how_the_kernels_datagrams_look_is_its_own_affair(void **state)
{
    uint8_t frame[256];
    struct wire wire = {.source = FAR_V6,
                        .destination = HOST_V6,
                        .payload = rig_data,
                        .len = 40,
                        .no_checksum = true};
    assert_passed(*state, frame, wire_write(&wire, frame));
    assert_passed(*state, frame, udp(frame, "192.0.2.200:0", HOST_V4));
}

static void what_is_wrong_with_our_own_goes_no_further(void **state)
{
    uint8_t frame[256];
    struct wire no_checksum = {.source = FAR_V6,
                               .destination = LISTENER_V6,
                               .payload = rig_data,
                               .len = 40,
                               .no_checksum = true};
    assert_dropped(*state, frame, wire_write(&no_checksum, frame), DROP_BAD_CHECKSUM);
    assert_dropped(*state, frame, udp(frame, "192.0.2.200:0", LISTENER_V4), DROP_BAD_UDP);
    assert_dropped(*state, frame, udp(frame, FAR_V4, RELAY_V4_LOCAL LIVE_PORT),
                   DROP_NO_RELAYED_ADDRESS);
    struct wire unknown = {
        .source = FAR_V4, .destination = LISTENER_V4, .payload = "\xFF", .len = 1};
    assert_dropped(*state, frame, wire_write(&unknown, frame), DROP_UNKNOWN_PROTOCOL);
    static const uint8_t source_route[4] = {131, 3, 4, 0};
    struct wire routed = {.source = FAR_V4,
                          .destination = LISTENER_V4,
                          .payload = rig_data,
                          .len = 40,
                          .options = source_route,
                          .options_len = 4};
    assert_dropped(*state, frame, wire_write(&routed, frame), DROP_IP_OPTIONS);
    size_t len = udp(frame, FAR_V4, HOST_V4);
    frame[24] ^= 1; // header checksum
    assert_dropped(*state, frame, len, DROP_BAD_IP_HEADER);
    assert_dropped(*state, frame, 13, DROP_NOT_IP);
}

// What of a datagram's payload a fragment has: bytes of the UDP header and on.
static size_t fragment(uint8_t *ret_frame, const char *destination, uint8_t protocol, size_t offset,
                       size_t len, bool more)
{
    uint8_t whole[2048], payload[1000];
    memset(payload, 0x5A, sizeof(payload));
    struct wire wire = {
        .source = FAR_V4, .destination = destination, .payload = payload, .len = sizeof(payload)};
    wire_write(&wire, whole);
    memcpy(ret_frame, whole, 34);
    memcpy(ret_frame + 34, whole + 34 + offset, len);
    store_be16(ret_frame + 16, (uint16_t)(20 + len));
    store_be16(ret_frame + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
    ret_frame[23] = protocol;
    wire_fix_ipv4(ret_frame);
    return 34 + len;
}

static void fragments_of_other_protocols_pass_one_by_one(void **state)
{
    uint8_t frame[2048];
    assert_passed(*state, frame, fragment(frame, HOST_V4, ICMP, 0, 800, true));
    assert_passed(*state, frame, fragment(frame, HOST_V4, ICMP, 800, 208, false));
    assert_passed(*state, frame, fragment(frame, STRANGER, UDP, 800, 208, false));
}

// A later fragment does not say which port it is for.
static void a_datagram_in_fragments_passes_whole(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    struct wire_seen seen;
    rig_receive(rig, 0, frame, fragment(frame, HOST_V4, UDP, 800, 208, false));
    rig_receive(rig, 0, frame, fragment(frame, HOST_V4, UDP, 0, 800, true));
    rig_poll(rig);
    size_t len = rig_to_kernel(rig, 0, frame);
    assert_int_not_equal(len, 0);
    wire_read(frame, len, &seen);
    assert_string_equal(seen.destination, HOST_V4);
    assert_int_equal(seen.len, 1000);
}

static void a_full_queue_to_the_kernel_loses_no_media(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[256], message[64];
    struct wire_seen seen;
    rig_allocation(rig, 0, 1, CLIENT_V4, 50112, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_poll(rig);
    size_t len = udp(frame, FAR_V4, HOST_V4);
    for (unsigned i = 0; i < 2 * RING_LEN; i++)
        rig_receive(rig, 0, frame, len);
    struct wire media = {.source = CLIENT_V4,
                         .destination = LISTENER_V4,
                         .payload = message,
                         .len = message_channel_data(message, 0x4000, rig_data, 20)};
    rig_process_wire(rig, 0, &media);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, PEER_V4);
    assert_int_equal(rig_counter(rig, COUNTER_TO_KERNEL), RING_LEN - 1);
    assert_int_equal(rig_drops(rig, DROP_KERNEL_FULL), RING_LEN + 1);
}

static void every_worker_has_a_way_to_the_kernel(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    rig_receive(rig, 1, frame, udp(frame, FAR_V4, HOST_V4));
    rig_poll(rig);
    assert_int_equal(rig_to_kernel(rig, 0, frame), 0);
    assert_int_not_equal(rig_to_kernel(rig, 1, frame), 0);
}

static void the_first_worker_transmits_what_the_kernel_sends(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[256], sent[RIG_FRAME_MAX];
    size_t len = udp(frame, HOST_V4, FAR_V4);
    assert_true(rig_from_kernel(rig, frame, len));
    assert_int_equal(worker_poll(rig->workers[1]), 0);
    rig_poll(rig);
    assert_int_equal(rig_sent(rig, 1, sent), 0);
    assert_int_equal(rig_sent(rig, 0, sent), len);
    assert_memory_equal(sent, frame, len);
    assert_int_equal(rig_counter(rig, COUNTER_FROM_KERNEL), 1);
}

static void the_kernel_gets_its_share_of_a_poll_and_no_more(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[256];
    size_t len = udp(frame, HOST_V4, FAR_V4);
    for (unsigned i = 0; i < KERNEL_PATH_BURST + 1; i++)
        assert_true(rig_from_kernel(rig, frame, len));
    assert_int_equal(worker_poll(rig->workers[0]), KERNEL_PATH_BURST);
    assert_int_equal(worker_poll(rig->workers[0]), 1);
    assert_int_equal(worker_poll(rig->workers[0]), 0);
}

static void of_two_twins_each_has_what_came_by_its_port(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    size_t len = udp(frame, FAR_V4, HOST_V4);
    for (unsigned i = 0; i < 5; i++)
        rig_receive(rig, i < 2 ? 0 : RIG_RELAY_PORT(0), frame, len);
    rig_poll(rig);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_to_kernel_of(rig, i < 2 ? 0 : 1, 0, frame), len);
    assert_int_equal(rig_to_kernel_of(rig, 0, 0, frame), 0);
    assert_int_equal(rig_to_kernel_of(rig, 1, 0, frame), 0);
    assert_int_equal(rig_counter(rig, COUNTER_TO_KERNEL), 5);
}

static void what_a_twin_sends_leaves_by_its_port(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[256], sent[RIG_FRAME_MAX];
    size_t len = udp(frame, HOST_V4, FAR_V4);
    for (unsigned side = 0; side < 2; side++) {
        assert_true(rig_from_kernel_of(rig, side, frame, len));
        rig_poll(rig);
        assert_int_equal(rig_sent(rig, side == 0 ? 0 : RIG_RELAY_PORT(0), sent), len);
        assert_int_equal(rig_sent(rig, side == 0 ? RIG_RELAY_PORT(0) : 0, sent), 0);
    }
    assert_int_equal(rig_counter(rig, COUNTER_FROM_KERNEL), 2);
}

static void a_twin_that_is_flooded_costs_the_other_nothing(void **state)
{
    struct rig *rig = *state;
    static uint8_t frame[RIG_FRAME_MAX];
    size_t len = udp(frame, FAR_V4, HOST_V4);
    for (unsigned i = 0; i < 200; i++)
        rig_receive(rig, RIG_RELAY_PORT(0), frame, len);
    rig_poll(rig);
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    assert_int_equal(rig_to_kernel_of(rig, 0, 0, frame), len);
    assert_int_equal(rig_counter(rig, COUNTER_TO_KERNEL), 63 + 1);
    assert_int_equal(rig_drops(rig, DROP_KERNEL_FULL), 200 - 63);
}

// Without a twin the kernel sees what is its own before the relay does.
static void without_a_twin_everything_has_its_reason_to_be_dropped(void **state)
{
    uint8_t frame[2048];
    assert_dropped(*state, frame, ipv4(frame, TCP, HOST_V4), DROP_NOT_UDP);
    assert_dropped(*state, frame, udp(frame, FAR_V4, STRANGER), DROP_NOT_OURS);
    assert_dropped(*state, frame, ipv4(frame, ICMP, HOST_V4), DROP_BAD_ICMP);
    assert_dropped(*state, frame, ipv6(frame, ESP), DROP_IP_OPTIONS);
    assert_dropped(*state, frame, fragment(frame, HOST_V4, ICMP, 0, 800, true), DROP_FRAGMENT);
}

int main(void)
{
#define TEST(test)       cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
#define TEST_SIDES(test) cmocka_unit_test_setup_teardown(test, rig_set_up_sides, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(passes_what_is_no_ip_or_for_a_group),
        TEST(passes_other_protocols_and_other_ports),
        TEST(passes_icmp_that_is_about_nothing_of_ours),
        TEST(how_the_kernels_datagrams_look_is_its_own_affair),
        TEST(what_is_wrong_with_our_own_goes_no_further),
        TEST(fragments_of_other_protocols_pass_one_by_one),
        TEST(a_datagram_in_fragments_passes_whole),
        TEST(a_full_queue_to_the_kernel_loses_no_media),
        cmocka_unit_test_setup_teardown(every_worker_has_a_way_to_the_kernel, set_up_two,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(the_first_worker_transmits_what_the_kernel_sends,
                                        set_up_two, rig_tear_down),
        TEST(the_kernel_gets_its_share_of_a_poll_and_no_more),
        TEST_SIDES(of_two_twins_each_has_what_came_by_its_port),
        TEST_SIDES(what_a_twin_sends_leaves_by_its_port),
        TEST_SIDES(a_twin_that_is_flooded_costs_the_other_nothing),
        cmocka_unit_test_setup_teardown(without_a_twin_everything_has_its_reason_to_be_dropped,
                                        rig_set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
