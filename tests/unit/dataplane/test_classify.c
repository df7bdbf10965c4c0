// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/classify.h"

#include "rig.h"

#include <stdlib.h>

#define RELAYED_V4 RELAY_V4_LOCAL ":50001"
#define RELAYED_V6 "[" RELAY_V6 "]:50002"

static struct local_addresses v4;
static struct local_addresses v6;
static struct rte_mbuf *frame;
static struct packet packet;

static int group_set_up(void **state)
{
    struct plane_config config;
    if (rig_group_set_up(state) != 0)
        return -1;
    rig_config(&config, 1);
    local_addresses_init(&v4, &config, IP_FAMILY_V4, NULL);
    local_addresses_init(&v6, &config, IP_FAMILY_V6, NULL);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    frame = rte_pktmbuf_alloc(rig_pool);
    frame->port = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rte_pktmbuf_free(frame);
    return 0;
}

// The frame ends where its segment does: the sanitizer would see a read past it.
static void classify_bytes(const uint8_t *bytes, size_t len)
{
    frame->data_off = (uint16_t)(frame->buf_len - len);
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
    memcpy(rte_pktmbuf_mtod(frame, void *), bytes, len);
    memset(&packet, 0xEE, sizeof(packet));
    classify(&v4, &v6, frame, &packet);
}

static uint8_t bytes[2048];

static size_t write_wire(const char *source, const char *destination, const void *payload,
                         size_t len)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = payload, .len = len};
    wire.traffic_class = 0xB5;
    wire.ttl = 33;
    wire.dont_fragment = true;
    return wire_write(&wire, bytes);
}

static void assert_kind(enum packet_kind kind)
{
    if (packet.kind != kind)
        fail_msg("kind %u, %s", packet.kind,
                 packet.kind == PACKET_DROP ? drop_name((enum drop)packet.drop) : "");
}

static void assert_drop(enum drop drop)
{
    assert_int_equal(packet.kind, PACKET_DROP);
    assert_string_equal(drop_name((enum drop)packet.drop), drop_name(drop));
}

static void sees_what_a_rewrite_must_keep(void **state)
{
    (void)state;
    const uint8_t *data;
    classify_bytes(bytes, write_wire(PEER_V4, RELAYED_V4, "hello", 5));
    assert_kind(PACKET_PEER);
    data = rte_pktmbuf_mtod(frame, const uint8_t *);
    assert_int_equal(packet.family, IP_FAMILY_V4);
    assert_int_equal(packet.traffic_class, 0xB5);
    assert_int_equal(packet.ttl, 33);
    assert_int_equal(packet.flags, PACKET_DONT_FRAGMENT);
    assert_int_equal(packet.local, RIG_RELAY_V4);
    assert_ptr_equal(packet.ip, data + 14);
    assert_ptr_equal(packet.l4, data + 34);
    assert_int_equal(packet.l4_len, 13);
    assert_int_equal(packet.data_offset, 0);
    assert_int_equal(packet.data_len, 5);
    assert_int_equal(packet.source_port_be, __builtin_bswap16(50000));
    assert_int_equal(packet.destination_port_be, __builtin_bswap16(50001));
    assert_memory_equal(packet.source_ip, "\xC0\x00\x02\xC8", 4);
    classify_bytes(bytes, write_wire(PEER_V6, RELAYED_V6, "hello", 5));
    assert_kind(PACKET_PEER);
    data = rte_pktmbuf_mtod(frame, const uint8_t *);
    assert_int_equal(packet.family, IP_FAMILY_V6);
    assert_int_equal(packet.traffic_class, 0xB5);
    assert_int_equal(packet.ttl, 33);
    assert_int_equal(packet.flags, 0);
    assert_int_equal(packet.local, RIG_RELAY_V6);
    assert_ptr_equal(packet.l4, data + 54);
    assert_ptr_equal(packet.source_ip, data + 22);
}

static void assert_first_bytes(unsigned channel_data_end)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t payload[4] = {(uint8_t)byte, 0, 0, 0};
        classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, payload, 4));
        if (byte < 4)
            assert_kind(PACKET_STUN);
        else if (byte >= 64 && byte < channel_data_end)
            assert_kind(PACKET_CHANNEL_DATA);
        else
            assert_drop(DROP_UNKNOWN_PROTOCOL);
    }
}

static void takes_channel_numbers_of_rfc_5766_where_they_are_let_in(void **state)
{
    struct local_addresses usual = v4;
    struct plane_config config;
    (void)state;
    rig_config(&config, 1);
    config.rfc5766_channels = true;
    local_addresses_init(&v4, &config, IP_FAMILY_V4, NULL);
    assert_first_bytes(128);
    v4 = usual;
}

static void tells_protocols_by_the_first_byte(void **state)
{
    (void)state;
    assert_first_bytes(80);
    classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, "", 0));
    assert_drop(DROP_UNKNOWN_PROTOCOL);
    classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, "\x00\x16\x00", 3));
    assert_kind(PACKET_SEND);
    classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, "\x00\x17\x00", 3));
    assert_kind(PACKET_STUN);
    classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, "\x00", 1));
    assert_kind(PACKET_STUN);
    assert_int_equal(packet.local, RIG_LISTENER_V4);
}

static void channel_data_says_no_more_than_there_is(void **state)
{
    (void)state;
    uint8_t payload[12] = {0x40, 0};
    for (uint16_t len = 0; len < 16; len++) {
        store_be16(payload + 2, len);
        classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, payload, sizeof(payload)));
        if (len > 8)
            assert_drop(DROP_BAD_CHANNEL_DATA);
        else
            assert_int_equal(packet.data_len, len);
    }
}

static void what_came_through_the_hairpin_reaches_no_listener(void **state)
{
    (void)state;
    frame->port = PACKET_PORT_LOCAL;
    classify_bytes(bytes, write_wire(CLIENT_V4, LISTENER_V4, "\x00\x01", 2));
    assert_drop(DROP_NO_RELAYED_ADDRESS);
    classify_bytes(bytes, write_wire(PEER_V4, RELAYED_V4, "\x00\x01", 2));
    assert_kind(PACKET_PEER);
}

// Every length is cut into its header, or into bytes that the IP header promises: nothing shorter
// is taken.
static void refuses_a_frame_cut_short_anywhere(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        size_t len = family == 0 ? write_wire(PEER_V4, RELAYED_V4, "hello", 5)
                                 : write_wire(PEER_V6, RELAYED_V6, "hello", 5);
        for (size_t cut = 0; cut < len; cut++) {
            classify_bytes(bytes, cut);
            assert_drop(cut < 14 ? DROP_NOT_IP : DROP_BAD_IP_HEADER);
        }
        classify_bytes(bytes, len);
        assert_kind(PACKET_PEER);
    }
}

static void what_follows_the_packet_is_padding(void **state)
{
    (void)state;
    size_t len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    classify_bytes(bytes, len + 13);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 5);
    len = write_wire(PEER_V6, RELAYED_V6, "hello", 5);
    classify_bytes(bytes, len + 13);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 5);
}

static void refuses_other_ethernet_types_and_groups(void **state)
{
    (void)state;
    static const uint16_t types[] = {0x0806, 0x8100, 0x88A8, 0x0000, 0x05DC};
    size_t len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    for (unsigned i = 0; i < 5; i++) {
        store_be16(bytes + 12, types[i]);
        classify_bytes(bytes, len);
        assert_drop(DROP_NOT_IP);
    }
    store_be16(bytes + 12, 0x86DD); // IPv4 behind the type of IPv6
    classify_bytes(bytes, len);
    assert_drop(DROP_BAD_IP_HEADER);
    len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    bytes[0] |= 1;
    classify_bytes(bytes, len);
    assert_drop(DROP_NOT_OURS);
}

static void refuses_a_bad_ipv4_header(void **state)
{
    (void)state;
    size_t len;
#define REFUSES(change, drop)                                                                      \
    len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);                                             \
    change;                                                                                        \
    classify_bytes(bytes, len);                                                                    \
    assert_drop(drop)
#define REFUSES_FIXED(change, drop) REFUSES((change, wire_fix_ipv4(bytes)), drop)
    for (unsigned bit = 0; bit < 160;
         bit++) { // any one bit that differs from what the checksum was made of
        len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
        bytes[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        classify_bytes(bytes, len);
        assert_drop(DROP_BAD_IP_HEADER);
    }
    REFUSES_FIXED(bytes[14] = 0x55, DROP_BAD_IP_HEADER);
    REFUSES(bytes[14] = 0x44, DROP_BAD_IP_HEADER);
    REFUSES_FIXED(store_be16(bytes + 16, 19), DROP_BAD_IP_HEADER);
    REFUSES_FIXED(store_be16(bytes + 16, 34), DROP_BAD_IP_HEADER);
    REFUSES_FIXED(store_be16(bytes + 16, 32), DROP_BAD_UDP);
    REFUSES_FIXED(store_be16(bytes + 16, 27), DROP_BAD_UDP);
    REFUSES_FIXED(bytes[23] = 6, DROP_NOT_UDP);
    REFUSES_FIXED(bytes[26] = 0, DROP_BAD_IP_HEADER); // sources that nobody has
    REFUSES_FIXED(bytes[26] = 127, DROP_BAD_IP_HEADER);
    REFUSES_FIXED(bytes[26] = 224, DROP_BAD_IP_HEADER);
    REFUSES_FIXED(bytes[26] = 255, DROP_BAD_IP_HEADER);
    REFUSES_FIXED(bytes[33] ^= 3, DROP_NOT_OURS);
}

static void believes_the_port_about_checksums(void **state)
{
    (void)state;
    size_t len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    frame->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_BAD;
    classify_bytes(bytes, len);
    assert_drop(DROP_BAD_IP_HEADER);
    frame->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
    classify_bytes(bytes, len);
    assert_drop(DROP_BAD_CHECKSUM);
    store_be16(bytes + 40, 0); // absent: whatever the port says of it
    classify_bytes(bytes, len);
    assert_kind(PACKET_PEER);
    bytes[24] ^= 1;
    frame->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    classify_bytes(bytes, len);
    assert_kind(PACKET_PEER);
}

static void refuses_a_bad_udp_header(void **state)
{
    (void)state;
    size_t len;
    REFUSES(store_be16(bytes + 38, 7), DROP_BAD_UDP);
    REFUSES(store_be16(bytes + 38, 14), DROP_BAD_UDP);
    REFUSES(store_be16(bytes + 38, 0), DROP_BAD_UDP);
    REFUSES(store_be16(bytes + 34, 0), DROP_BAD_UDP); // no port to answer to
    REFUSES(store_be16(bytes + 36, 0), DROP_NOT_OURS);
    len = write_wire(PEER_V6, RELAYED_V6, "hello", 5);
    store_be16(bytes + 60, 0);
    classify_bytes(bytes, len);
    assert_drop(DROP_BAD_CHECKSUM);
    len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    store_be16(bytes + 38, 12); // shorter than what IP carries
    classify_bytes(bytes, len);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 4);
}

static void classify_options(const uint8_t *options, size_t options_len)
{
    struct wire wire = {.source = PEER_V4, .destination = RELAYED_V4, .payload = "hello", .len = 5};
    wire.options = options;
    wire.options_len = options_len;
    classify_bytes(bytes, wire_write(&wire, bytes));
}

static void skips_ipv4_options_but_no_source_route(void **state)
{
    (void)state;
    classify_options((const uint8_t[]){1, 1, 1, 0}, 4);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 5);
    classify_options((const uint8_t[]){7, 7, 4, 0, 0, 0, 0, 0}, 8); // record route
    assert_kind(PACKET_PEER);
    classify_options((const uint8_t[]){1, 131, 7, 4, 1, 2, 3, 4}, 8);
    assert_drop(DROP_IP_OPTIONS);
    classify_options((const uint8_t[]){137, 3, 4, 0}, 4);
    assert_drop(DROP_IP_OPTIONS);
    classify_options((const uint8_t[]){0, 131, 3, 4}, 4); // behind the end of the list
    assert_kind(PACKET_PEER);
    classify_options((const uint8_t[]){7, 0, 0, 0}, 4);
    assert_drop(DROP_BAD_IP_HEADER);
    classify_options((const uint8_t[]){7, 5, 0, 0}, 4);
    assert_drop(DROP_BAD_IP_HEADER);
    classify_options((const uint8_t[]){1, 1, 1, 7}, 4);
    assert_drop(DROP_BAD_IP_HEADER);
}

// options[0] is the type of the first header.
static void classify_extensions(const uint8_t *options, size_t options_len)
{
    struct wire wire = {.source = PEER_V6, .destination = RELAYED_V6, .payload = "hello", .len = 5};
    wire.options = options;
    wire.options_len = options_len;
    classify_bytes(bytes, wire_write(&wire, bytes));
}

#define PAD 1, 4, 0, 0, 0, 0

static void walks_ipv6_extension_headers(void **state)
{
    (void)state;
    classify_extensions((const uint8_t[]){0, 17, 0, PAD}, 9);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 5);
    classify_extensions((const uint8_t[]){60, 17, 0, PAD}, 9);
    assert_kind(PACKET_PEER);
    classify_extensions((const uint8_t[]){43, 17, 0, 0, 0, 0, 0, 0, 0}, 9); // no segments left
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.flags, 0);
    classify_extensions((const uint8_t[]){44, 17, 0xFF, 0, 6, 1, 2, 3, 4},
                        9); // atomic; reserved bits are ignored
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.flags, PACKET_WAS_FRAGMENTED);
    classify_extensions(
        (const uint8_t[]){0, 60, 0, PAD, 43, 0, PAD, 60, 0, 0, 0, 0, 0, 0, 0, 17, 0, PAD}, 33);
    assert_kind(PACKET_PEER);
    assert_int_equal(packet.data_len, 5);
    classify_extensions((const uint8_t[]){60, 17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                        17);
    assert_kind(PACKET_PEER);
}

static void refuses_extension_headers_that_it_does_not_walk(void **state)
{
    (void)state;
    classify_extensions((const uint8_t[]){43, 17, 0, 0, 1, 0, 0, 0, 0}, 9); // a source route
    assert_drop(DROP_IP_OPTIONS);
    classify_extensions((const uint8_t[]){60, 0, 0, PAD, 17, 0, PAD}, 17); // hop-by-hop not first
    assert_drop(DROP_IP_OPTIONS);
    static const uint8_t refused[] = {50, 51, 135, 139, 140};
    for (unsigned i = 0; i < sizeof(refused); i++) {
        classify_extensions((const uint8_t[]){refused[i], 17, 0, PAD}, 9);
        assert_drop(DROP_IP_OPTIONS);
    }
    classify_extensions((const uint8_t[]){59, 17, 0, PAD}, 9);
    assert_drop(DROP_NOT_UDP);
    classify_extensions((const uint8_t[]){6, 17, 0, PAD}, 9);
    assert_drop(DROP_NOT_UDP);
    uint8_t chain[1 + 9 * 8] = {60};
    for (unsigned i = 0; i < 9; i++)
        chain[1 + i * 8] = i < 8 ? 60 : 17;
    classify_extensions(chain, 1 + 8 * 8); // 8, then one that would be the ninth
    assert_drop(DROP_IP_OPTIONS);
    chain[1 + 7 * 8] = 17;
    classify_extensions(chain, 1 + 8 * 8);
    assert_kind(PACKET_PEER);
}

static void refuses_an_extension_header_that_runs_past_the_end(void **state)
{
    (void)state;
    classify_extensions((const uint8_t[]){60, 17, 3, PAD}, 9);
    assert_drop(DROP_BAD_IP_HEADER);
    size_t len = write_wire(PEER_V6, RELAYED_V6, "hello", 5);
    bytes[20] = 60;
    store_be16(bytes + 18, 7);
    classify_bytes(bytes, len);
    assert_drop(DROP_BAD_IP_HEADER);
}

static void refuses_a_bad_ipv6_header(void **state)
{
    (void)state;
    size_t len;
#define REFUSES_V6(change, drop)                                                                   \
    len = write_wire(PEER_V6, RELAYED_V6, "hello", 5);                                             \
    change;                                                                                        \
    classify_bytes(bytes, len);                                                                    \
    assert_drop(drop)
    REFUSES_V6(bytes[14] ^= 0x10, DROP_BAD_IP_HEADER);
    REFUSES_V6(store_be16(bytes + 18, 14), DROP_BAD_IP_HEADER);
    REFUSES_V6(store_be16(bytes + 18, 12), DROP_BAD_UDP);
    REFUSES_V6(store_be16(bytes + 18, 0), DROP_BAD_UDP);
    REFUSES_V6(bytes[22] = 0xFF, DROP_BAD_IP_HEADER);
    REFUSES_V6(memset(bytes + 22, 0, 16), DROP_BAD_IP_HEADER);
    REFUSES_V6((memset(bytes + 22, 0, 16), bytes[37] = 1), DROP_BAD_IP_HEADER);
    REFUSES_V6(bytes[38] ^= 1, DROP_NOT_OURS);
}

static void recognizes_fragments_for_us(void **state)
{
    (void)state;
    size_t len = write_wire(PEER_V4, RELAYED_V4, "hello", 5);
    store_be16(bytes + 20, 0x2003);
    wire_fix_ipv4(bytes);
    classify_bytes(bytes, len);
    assert_kind(PACKET_FRAGMENT);
    assert_int_equal(packet.fragment_offset, 24);
    assert_true(packet.fragment_more);
    assert_int_equal(packet.fragment_protocol, 17);
    assert_int_equal(packet.fragment_id, 0x7777);
    assert_int_equal(packet.l4_len, 13);
    store_be16(bytes + 20, 0x1FFF);
    wire_fix_ipv4(bytes);
    classify_bytes(bytes, len);
    assert_kind(PACKET_FRAGMENT);
    assert_int_equal(packet.fragment_offset, 65528);
    assert_false(packet.fragment_more);
    classify_extensions((const uint8_t[]){44, 17, 0, 0xFF, 0xF9, 1, 2, 3, 4}, 9);
    assert_kind(PACKET_FRAGMENT);
    assert_int_equal(packet.fragment_offset, 0xFFF8);
    assert_true(packet.fragment_more);
    assert_int_equal(packet.fragment_protocol, 17);
    assert_int_equal(packet.fragment_id, 0x01020304);
    assert_int_equal(packet.l4_len, 13);
}

static void never_reads_past_a_random_frame(void **state)
{
    (void)state;
    srand(3);
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t header[9] = {(uint8_t)(rand() % 3 ? 44 : 60), 17, 0, PAD};
        struct wire wire = {
            .source = PEER_V6, .destination = RELAYED_V6, .payload = "hello", .len = 5};
        wire.options = header;
        wire.options_len = rand() % 2 ? sizeof(header) : 0;
        size_t len =
            rand() % 2 ? wire_write(&wire, bytes) : write_wire(PEER_V4, RELAYED_V4, "hello", 5);
        for (unsigned change = 0; change < 3; change++)
            bytes[12 + (size_t)rand() % (len - 12)] = (uint8_t)rand();
        if (bytes[12] == 8 && rand() % 4)
            wire_fix_ipv4(bytes);
        classify_bytes(bytes, (size_t)rand() % (len + 1));
        if (packet.kind == PACKET_PEER)
            assert_true(packet.l4 + packet.l4_len <=
                        rte_pktmbuf_mtod(frame, uint8_t *) + frame->data_len);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sees_what_a_rewrite_must_keep),
        TEST(tells_protocols_by_the_first_byte),
        TEST(takes_channel_numbers_of_rfc_5766_where_they_are_let_in),
        TEST(channel_data_says_no_more_than_there_is),
        TEST(what_came_through_the_hairpin_reaches_no_listener),
        TEST(refuses_a_frame_cut_short_anywhere),
        TEST(what_follows_the_packet_is_padding),
        TEST(refuses_other_ethernet_types_and_groups),
        TEST(refuses_a_bad_ipv4_header),
        TEST(believes_the_port_about_checksums),
        TEST(refuses_a_bad_udp_header),
        TEST(skips_ipv4_options_but_no_source_route),
        TEST(walks_ipv6_extension_headers),
        TEST(refuses_extension_headers_that_it_does_not_walk),
        TEST(refuses_an_extension_header_that_runs_past_the_end),
        TEST(refuses_a_bad_ipv6_header),
        TEST(recognizes_fragments_for_us),
        TEST(never_reads_past_a_random_frame),
    };
    return cmocka_run_group_tests(tests, group_set_up, NULL);
}
