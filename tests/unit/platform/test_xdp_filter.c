// SPDX-License-Identifier: BSD-3-Clause
// Claims about what the XDP program takes and what it leaves to the kernel. The program runs in the
// kernel (BPF_PROG_TEST_RUN), on packets made here; where that is not permitted, these tests are
// skipped.
#include "platform/xdp_filter.h"

#include "base/bytes.h"
#include "platform/xdp_filter_rules.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LISTEN_PORT 3478
#define OTHER_PORT  53

enum { UDP = 17, ICMP = 1, ICMPV6 = 58, TCP = 6, FRAGMENT = 44, HOP_BY_HOP = 0, DESTINATION = 60 };

struct packet {
    uint8_t bytes[1500];
    size_t len;
};

static const uint8_t ours_v4[16] = {192, 0, 2, 1};
static const uint8_t other_v4[16] = {192, 0, 2, 9};
static const uint8_t ours_v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t other_v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};

static void make_config(struct plane_config *ret_config)
{
    *ret_config = (struct plane_config){.listener_count = 2, .relay_count = 2};
    for (unsigned i = 0; i < 2; i++) {
        enum ip_family family = i == 0 ? IP_FAMILY_V4 : IP_FAMILY_V6;
        struct ip_address ip = ip_address_from_bytes(family, i == 0 ? ours_v4 : ours_v6);

        ret_config->listeners[i] = (struct transport_address){.ip = ip, .port = LISTEN_PORT};
        ret_config->relays[i] = (struct plane_relay){
            .local = ip, .advertised = ip, .min_port = 49152, .max_port = 50000};
    }
}

static void *append(struct packet *packet, size_t len)
{
    void *bytes = packet->bytes + packet->len;

    packet->len += len;
    assert_true(packet->len <= sizeof(packet->bytes));
    return bytes;
}

static void add_ethernet(struct packet *packet, uint16_t type)
{
    memset(packet, 0, sizeof(*packet));
    store_be16((uint8_t *)append(packet, 14) + 12, type);
}

static void add_ipv4(struct packet *packet, const uint8_t *source, const uint8_t *destination,
                     uint8_t protocol, uint16_t fragment, size_t options_len)
{
    uint8_t *ip = append(packet, 20 + options_len);

    ip[0] = (uint8_t)(0x40 | (5 + options_len / 4));
    store_be16(ip + 4, 0x1234);
    store_be16(ip + 6, fragment);
    ip[9] = protocol;
    memcpy(ip + 12, source, 4);
    memcpy(ip + 16, destination, 4);
}

static void add_ipv6(struct packet *packet, const uint8_t *source, const uint8_t *destination,
                     uint8_t next_header)
{
    uint8_t *ip = append(packet, 40);

    ip[0] = 0x60;
    ip[6] = next_header;
    memcpy(ip + 8, source, 16);
    memcpy(ip + 24, destination, 16);
}

static void add_extension(struct packet *packet, uint8_t next_header, uint8_t length)
{
    uint8_t *header = append(packet, 8u + length * 8u);

    header[0] = next_header;
    header[1] = length;
}

static void add_fragment(struct packet *packet, uint8_t next_header, uint16_t offset_and_more,
                         uint32_t id)
{
    uint8_t *header = append(packet, 8);

    header[0] = next_header;
    store_be16(header + 2, offset_and_more);
    store_be32(header + 4, id);
}

static void add_udp(struct packet *packet, uint16_t source_port, uint16_t destination_port)
{
    uint8_t *udp = append(packet, 8 + 20);

    store_be16(udp, source_port);
    store_be16(udp + 2, destination_port);
}

static void add_icmp(struct packet *packet, uint8_t type)
{
    *(uint8_t *)append(packet, 8) = type;
}

static void make_udp_v4(struct packet *packet, const uint8_t *destination, uint16_t port)
{
    add_ethernet(packet, 0x0800);
    add_ipv4(packet, other_v4, destination, UDP, 0, 0);
    add_udp(packet, 1000, port);
}

static void make_udp_v6(struct packet *packet, const uint8_t *destination, uint16_t port)
{
    add_ethernet(packet, 0x86dd);
    add_ipv6(packet, other_v6, destination, UDP);
    add_udp(packet, 1000, port);
}

// Closing it would take it out of the program's map.
static int socket_fd = -1;

static int load_filter(void **state)
{
    struct plane_config config;
    struct xdp_filter *filter;

    *state = NULL;
    socket_fd = socket(AF_XDP, SOCK_RAW, 0);
    make_config(&config);
    if (socket_fd < 0 || geteuid() != 0 || xdp_filter_create(&config, &filter) != 0)
        return 0; // not permitted here: each test skips itself
    if (xdp_filter_add_socket(filter, 0, socket_fd) != 0)
        return -1;
    *state = filter;
    return 0;
}

static int unload_filter(void **state)
{
    if (*state)
        xdp_filter_destroy(*state);
    if (socket_fd >= 0)
        close(socket_fd);
    return 0;
}

static bool is_taken(void **state, const struct packet *packet)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->bytes,
                .data_size_in = (uint32_t)packet->len, .repeat = 1);

    assert_int_equal(bpf_prog_test_run_opts(xdp_filter_program(*state), &options), 0);
    assert_true(options.retval == XDP_REDIRECT || options.retval == XDP_PASS);
    return options.retval == XDP_REDIRECT;
}

#define SKIP_WITHOUT_FILTER(state)                                                                 \
    do {                                                                                           \
        if (!*(state))                                                                             \
            skip();                                                                                \
    } while (0)

static void rules_hold_every_listener_and_relay(void **state)
{
    struct plane_config config;
    struct xdp_filter_rules rules;

    (void)state;
    make_config(&config);
    xdp_filter_make_rules(&config, &rules);
    assert_int_equal(rules.range_count, 4);
    assert_int_equal(rules.ranges[0].min_port, LISTEN_PORT);
    assert_int_equal(rules.ranges[0].max_port, LISTEN_PORT);
    assert_int_equal(rules.ranges[0].relayed, 0);
    assert_int_equal(rules.ranges[3].family, 6);
    assert_int_equal(rules.ranges[3].max_port, 50000);
    assert_int_equal(rules.ranges[3].relayed, 1);
    assert_memory_equal(rules.ranges[3].address, ours_v6, 16);
}

static void takes_udp_to_listeners_and_relay_ranges(void **state)
{
    static const uint16_t ports[] = {LISTEN_PORT, 49152, 50000};
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        make_udp_v4(&packet, ours_v4, ports[i]);
        assert_true(is_taken(state, &packet));
        make_udp_v6(&packet, ours_v6, ports[i]);
        assert_true(is_taken(state, &packet));
    }
}

static void leaves_other_ports_and_addresses_to_the_kernel(void **state)
{
    static const uint16_t ports[] = {OTHER_PORT, 3477, 3479, 49151, 50001};
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        make_udp_v4(&packet, ours_v4, ports[i]);
        assert_false(is_taken(state, &packet));
        make_udp_v6(&packet, ours_v6, ports[i]);
        assert_false(is_taken(state, &packet));
    }
    make_udp_v4(&packet, other_v4, LISTEN_PORT);
    assert_false(is_taken(state, &packet));
    make_udp_v6(&packet, other_v6, LISTEN_PORT);
    assert_false(is_taken(state, &packet));
}

static void leaves_arp_tcp_and_ping_to_the_kernel(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    add_ethernet(&packet, 0x0806);
    append(&packet, 46);
    assert_false(is_taken(state, &packet));
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, TCP, 0, 0);
    add_udp(&packet, 1000, LISTEN_PORT);
    assert_false(is_taken(state, &packet));
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, ICMP, 0, 0);
    add_icmp(&packet, 8);
    assert_false(is_taken(state, &packet));
    // Neighbour solicitation.
    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, ICMPV6);
    add_icmp(&packet, 135);
    assert_false(is_taken(state, &packet));
}

static void walks_ipv4_options(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, UDP, 0, 40);
    add_udp(&packet, 1000, LISTEN_PORT);
    assert_true(is_taken(state, &packet));
}

static void walks_ipv6_extension_headers_up_to_a_bound(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, HOP_BY_HOP);
    add_extension(&packet, DESTINATION, 0);
    add_extension(&packet, UDP, 3);
    add_udp(&packet, 1000, LISTEN_PORT);
    assert_true(is_taken(state, &packet));

    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, DESTINATION);
    for (unsigned i = 0; i < 9; i++)
        add_extension(&packet, DESTINATION, 0);
    add_extension(&packet, UDP, 0);
    add_udp(&packet, 1000, LISTEN_PORT);
    assert_false(is_taken(state, &packet));
}

static void takes_all_fragments_of_its_datagrams(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, UDP, 185, 0);
    append(&packet, 64);
    assert_true(is_taken(state, &packet)); // before the first one
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, UDP, 0x2000, 0);
    add_udp(&packet, 1000, 49200);
    assert_true(is_taken(state, &packet));

    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, FRAGMENT);
    add_fragment(&packet, UDP, 1, 7);
    add_udp(&packet, 1000, 49200);
    assert_true(is_taken(state, &packet));
    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, FRAGMENT);
    add_fragment(&packet, UDP, 1232, 7);
    append(&packet, 64);
    assert_true(is_taken(state, &packet));
}

static void make_piece_v6(struct packet *packet, uint8_t next_header, uint16_t offset_and_more,
                          uint32_t id)
{
    add_ethernet(packet, 0x86dd);
    add_ipv6(packet, other_v6, ours_v6, FRAGMENT);
    add_fragment(packet, next_header, offset_and_more, id);
}

// Later pieces say what follows the Fragment header, not what follows that.
static void takes_fragments_of_datagrams_behind_destination_options(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    make_piece_v6(&packet, DESTINATION, 1, 21);
    add_extension(&packet, UDP, 1);
    add_udp(&packet, 1000, 49200);
    assert_true(is_taken(state, &packet));
    make_piece_v6(&packet, DESTINATION, 1232, 21);
    append(&packet, 64);
    assert_true(is_taken(state, &packet));
    // As with options in front of it, which are no part of what is cut up.
    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, DESTINATION);
    add_extension(&packet, FRAGMENT, 0);
    add_fragment(&packet, DESTINATION, 1232, 22);
    append(&packet, 64);
    assert_true(is_taken(state, &packet));
    // The host's own: UDP to another port, and what is not UDP.
    make_piece_v6(&packet, DESTINATION, 1, 23);
    add_extension(&packet, UDP, 1);
    add_udp(&packet, 1000, OTHER_PORT);
    assert_false(is_taken(state, &packet));
    make_piece_v6(&packet, DESTINATION, 1232, 23);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
    make_piece_v6(&packet, DESTINATION, 1, 24);
    add_extension(&packet, TCP, 0);
    add_udp(&packet, 1000, LISTEN_PORT);
    assert_false(is_taken(state, &packet));
    make_piece_v6(&packet, DESTINATION, 1232, 24);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
    // Of others.
    make_piece_v6(&packet, HOP_BY_HOP, 1232, 25);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
}

static void leaves_the_hosts_own_fragmented_datagrams_to_the_kernel(void **state)
{
    static const uint8_t resolver_v4[16] = {192, 0, 2, 53};
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, resolver_v4, ours_v4, UDP, 0x2000, 0);
    add_udp(&packet, OTHER_PORT, 33000);
    assert_false(is_taken(state, &packet));
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, resolver_v4, ours_v4, UDP, 185, 0);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
    // Of another protocol, or for another address.
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, ours_v4, TCP, 185, 0);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
    add_ethernet(&packet, 0x0800);
    add_ipv4(&packet, other_v4, other_v4, UDP, 185, 0);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));

    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, FRAGMENT);
    add_fragment(&packet, UDP, 1, 99);
    add_udp(&packet, OTHER_PORT, 33000);
    assert_false(is_taken(state, &packet));
    add_ethernet(&packet, 0x86dd);
    add_ipv6(&packet, other_v6, ours_v6, FRAGMENT);
    add_fragment(&packet, UDP, 1232, 99);
    append(&packet, 64);
    assert_false(is_taken(state, &packet));
}

static void make_fragment(struct packet *packet, const uint8_t *source, const uint8_t *destination,
                          uint16_t id, uint16_t fragment, uint16_t port)
{
    add_ethernet(packet, 0x0800);
    add_ipv4(packet, source, destination, UDP, fragment, 0);
    store_be16(packet->bytes + 14 + 4, id);
    add_udp(packet, 1000, port);
}

static void takes_fragments_whose_id_was_the_hosts_before(void **state)
{
    static const uint8_t source[16] = {192, 0, 2, 54};
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    make_fragment(&packet, source, ours_v4, 5, 0x2000, OTHER_PORT);
    assert_false(is_taken(state, &packet));
    make_fragment(&packet, source, ours_v4, 5, 185, 0);
    assert_false(is_taken(state, &packet));
    make_fragment(&packet, source, ours_v4, 5, 0x2000, LISTEN_PORT);
    assert_true(is_taken(state, &packet));
    make_fragment(&packet, source, ours_v4, 5, 185, 0);
    assert_true(is_taken(state, &packet));
}

static void fragments_for_others_do_not_push_out_the_hosts(void **state)
{
    static const uint8_t source[16] = {192, 0, 2, 55};
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    make_fragment(&packet, source, ours_v4, 5, 0x2000, OTHER_PORT);
    assert_false(is_taken(state, &packet));
    for (unsigned id = 0; id < 4096; id++) {
        make_fragment(&packet, source, other_v4, (uint16_t)id, 0x2000, OTHER_PORT);
        assert_false(is_taken(state, &packet));
    }
    make_fragment(&packet, source, ours_v4, 5, 185, 0);
    assert_false(is_taken(state, &packet));
}

static void make_icmp_v4(struct packet *packet, uint8_t type, uint16_t source_port)
{
    add_ethernet(packet, 0x0800);
    add_ipv4(packet, other_v4, ours_v4, ICMP, 0, 0);
    add_icmp(packet, type);
    add_ipv4(packet, ours_v4, other_v4, UDP, 0, 0);
    add_udp(packet, source_port, 7000);
    packet->len -= 20; // quoted no further than the UDP header
}

static void make_icmp_v6(struct packet *packet, uint8_t type, uint16_t source_port)
{
    add_ethernet(packet, 0x86dd);
    add_ipv6(packet, other_v6, ours_v6, ICMPV6);
    add_icmp(packet, type);
    add_ipv6(packet, ours_v6, other_v6, UDP);
    add_udp(packet, source_port, 7000);
}

static void takes_icmp_errors_about_relayed_datagrams_only(void **state)
{
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    for (unsigned type = 0; type < 256; type++) {
        make_icmp_v4(&packet, (uint8_t)type, 49152);
        assert_int_equal(is_taken(state, &packet), type == 3 || type == 11);
        make_icmp_v6(&packet, (uint8_t)type, 49152);
        assert_int_equal(is_taken(state, &packet), type >= 1 && type <= 3);
    }
    // What a quoted later fragment has in that place are no ports.
    make_icmp_v4(&packet, 3, 49152);
    store_be16(packet.bytes + 14 + 20 + 8 + 6, 0x0010);
    assert_false(is_taken(state, &packet));
    // Of what is sent from a listener, those alone that say how much a path has.
    for (unsigned type = 0; type < 256; type++) {
        make_icmp_v4(&packet, (uint8_t)type, LISTEN_PORT);
        assert_false(is_taken(state, &packet));
        packet.bytes[14 + 20 + 1] = 4;
        assert_int_equal(is_taken(state, &packet), type == 3);
        make_icmp_v6(&packet, (uint8_t)type, LISTEN_PORT);
        assert_int_equal(is_taken(state, &packet), type == 2);
    }
    make_icmp_v4(&packet, 3, 33000);
    assert_false(is_taken(state, &packet));
    make_icmp_v6(&packet, 2, 33000);
    assert_false(is_taken(state, &packet));
}

static void leaves_truncated_packets_to_the_kernel(void **state)
{
    struct packet packet;
    size_t whole;

    SKIP_WITHOUT_FILTER(state);
    make_udp_v4(&packet, ours_v4, LISTEN_PORT);
    whole = 14 + 20 + 8;
    for (packet.len = 14; packet.len < whole; packet.len++)
        assert_false(is_taken(state, &packet));
    make_icmp_v6(&packet, 2, 49152);
    whole = 14 + 40 + 8 + 40 + 4;
    for (packet.len = 14; packet.len < whole; packet.len++)
        assert_false(is_taken(state, &packet));
    packet.len = whole;
    assert_true(is_taken(state, &packet));
}

// The kernel's verifier walks every way through the rules.
static void loads_as_many_rules_as_there_can_be(void **state)
{
    struct plane_config config = {.listener_count = PLANE_LISTENERS_MAX,
                                  .relay_count = PLANE_RELAYS_MAX};
    struct ip_address ip = ip_address_from_bytes(IP_FAMILY_V6, ours_v6);
    struct xdp_filter *filter;
    struct packet packet;

    SKIP_WITHOUT_FILTER(state);
    for (uint8_t i = 0; i < PLANE_LISTENERS_MAX; i++) {
        ip.bytes[14] = i;
        config.listeners[i] = (struct transport_address){.ip = ip, .port = LISTEN_PORT};
    }
    for (uint8_t i = 0; i < PLANE_RELAYS_MAX; i++) {
        ip.bytes[14] = i;
        config.relays[i] = (struct plane_relay){
            .local = ip, .advertised = ip, .min_port = 49152, .max_port = 50000};
    }
    assert_int_equal(xdp_filter_create(&config, &filter), 0);
    assert_int_equal(xdp_filter_add_socket(filter, 0, socket_fd), 0);
    make_udp_v6(&packet, ip.bytes, 50000);
    assert_true(is_taken((void **)&filter, &packet));
    ip.bytes[14] = PLANE_RELAYS_MAX;
    make_udp_v6(&packet, ip.bytes, 50000);
    assert_false(is_taken((void **)&filter, &packet));
    xdp_filter_destroy(filter);
}

static void knows_the_socket_of_a_queue(void **state)
{
    struct xdp_filter *filter = *state;

    if (!filter)
        skip();
    assert_int_equal(xdp_filter_socket(filter, 0), socket_fd);
    assert_int_equal(xdp_filter_socket(filter, 1), -1);
    assert_int_equal(xdp_filter_socket(filter, UINT32_MAX), -1);
    assert_int_equal(xdp_filter_add_socket(filter, UINT32_MAX, socket_fd), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_socket_of_a_queue),
        cmocka_unit_test(rules_hold_every_listener_and_relay),
        cmocka_unit_test(takes_udp_to_listeners_and_relay_ranges),
        cmocka_unit_test(leaves_other_ports_and_addresses_to_the_kernel),
        cmocka_unit_test(leaves_arp_tcp_and_ping_to_the_kernel),
        cmocka_unit_test(walks_ipv4_options),
        cmocka_unit_test(walks_ipv6_extension_headers_up_to_a_bound),
        cmocka_unit_test(takes_all_fragments_of_its_datagrams),
        cmocka_unit_test(takes_fragments_of_datagrams_behind_destination_options),
        cmocka_unit_test(leaves_the_hosts_own_fragmented_datagrams_to_the_kernel),
        cmocka_unit_test(takes_fragments_whose_id_was_the_hosts_before),
        cmocka_unit_test(fragments_for_others_do_not_push_out_the_hosts),
        cmocka_unit_test(takes_icmp_errors_about_relayed_datagrams_only),
        cmocka_unit_test(leaves_truncated_packets_to_the_kernel),
        cmocka_unit_test(loads_as_many_rules_as_there_can_be),
    };

    return cmocka_run_group_tests_name("platform/xdp_filter", tests, load_filter, unload_filter);
}
