// SPDX-License-Identifier: BSD-3-Clause
// bench/load/frame.h.
#include "frame.h"

#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct link link_of = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
static const char *const ends[2][2] = {{"192.0.2.9:1000", "198.51.100.7:3478"},
                                       {"[2001:db8::9]:1000", "[2001:db8:1::7]:3478"}};

static uint8_t frame[200];

static struct transport_address parse(const char *text)
{
    struct transport_address address;
    assert_int_equal(transport_address_parse(text, &address), 0);
    return address;
}

// From the first of the family's ends to the second.
static size_t write_hello(unsigned family, bool has_checksum)
{
    struct transport_address source = parse(ends[family][0]);
    struct transport_address destination = parse(ends[family][1]);
    memcpy(frame + frame_headers_len(source.ip.family), "hello", 5);
    return frame_write(frame, &link_of, &source, &destination, 5, has_checksum);
}

static void writes_the_frame_that_another_made(void **state)
{
    (void)state;
    // Made by scapy.
    static const uint8_t expected[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00,
                                       0x00, 0x01, 0x08, 0x00, 0x45, 0x00, 0x00, 0x21, 0x00, 0x00,
                                       0x40, 0x00, 0x40, 0x11, 0x4e, 0x88, 0xc0, 0x00, 0x02, 0x09,
                                       0xc6, 0x33, 0x64, 0x07, 0x03, 0xe8, 0x0d, 0x96, 0x00, 0x0d,
                                       0xbe, 0x3f, 'h',  'e',  'l',  'l',  'o'};
    assert_int_equal(write_hello(0, true), sizeof(expected));
    assert_memory_equal(frame, expected, sizeof(expected));
}

static void writes_the_checksum_of_ipv6_that_another_made(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x4f, 0x01};
    write_hello(1, true);
    assert_memory_equal(frame + ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + 6, expected, 2);
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        struct transport_address source = parse(ends[family][0]);
        struct transport_address destination = parse(ends[family][1]);
        size_t len = write_hello(family, true);
        struct datagram datagram;
        assert_int_equal(frame_read(frame, len, &datagram), FRAME_UDP);
        assert_true(transport_address_equal(&datagram.source, &source));
        assert_true(transport_address_equal(&datagram.destination, &destination));
        assert_int_equal(datagram.payload.len, 5);
        assert_memory_equal(datagram.payload.data, "hello", 5);
    }
}

static void bytes_after_the_datagram_are_padding(void **state)
{
    (void)state;
    struct datagram datagram;
    write_hello(0, true);
    assert_int_equal(frame_read(frame, 60, &datagram), FRAME_UDP);
    assert_int_equal(datagram.payload.len, 5);
}

static void a_wrong_bit_in_addresses_ports_or_payload_is_a_bad_checksum(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        size_t len = write_hello(family, true), start = ETHERNET_HEADER_LEN + (family ? 8 : 12);
        struct datagram datagram;
        for (size_t i = start; i < len; i++) {
            // The UDP length is not believed either.
            if (i >= len - 9 && i < len - 7)
                continue;
            frame[i] ^= 0x10;
            assert_int_equal(frame_read(frame, len, &datagram), FRAME_BAD_CHECKSUM);
            frame[i] ^= 0x10;
        }
    }
}

static void without_checksum_ipv4_is_taken_and_ipv6_is_not(void **state)
{
    (void)state;
    struct datagram datagram;
    size_t len = write_hello(0, false);
    assert_int_equal(load_be16(frame + len - 7), 0);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_UDP);
    len = write_hello(1, false);
    assert_int_not_equal(load_be16(frame + len - 7), 0);
    store_be16(frame + len - 7, 0);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_BAD_CHECKSUM);
}

static void what_is_cut_short_is_not_read(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        size_t len = write_hello(family, true);
        for (size_t cut = 0; cut < len; cut++) {
            // Of its own, so that a read beyond it is found.
            uint8_t *copy = malloc(cut ? cut : 1);
            struct datagram datagram;
            memcpy(copy, frame, cut);
            assert_int_not_equal(frame_read(copy, cut, &datagram), FRAME_UDP);
            free(copy);
        }
    }
}

static void a_datagram_longer_than_its_packet_is_not_read(void **state)
{
    (void)state;
    struct datagram datagram;
    size_t len = write_hello(0, false);
    store_be16(frame + len - 9, UDP_HEADER_LEN + 6);
    assert_int_equal(frame_read(frame, len + 1, &datagram), FRAME_OTHER);
    store_be16(frame + len - 9, UDP_HEADER_LEN - 1);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_OTHER);
}

// The IPv4 header's flags and offset, and its checksum.
static void set_fragment(uint16_t field)
{
    uint8_t *header = frame + ETHERNET_HEADER_LEN;
    uint16_t checksum;
    store_be16(header + 6, field);
    store_be16(header + 10, 0);
    checksum = checksum_field(checksum_add_bytes(0, header, IPV4_HEADER_LEN));
    memcpy(header + 10, &checksum, sizeof(checksum));
}

static void a_piece_of_an_ipv4_packet_is_a_fragment(void **state)
{
    (void)state;
    struct datagram datagram;
    size_t len = write_hello(0, true);
    set_fragment(0x2000);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_FRAGMENT);
    set_fragment(0x0001);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_FRAGMENT);
    set_fragment(0);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_UDP);
}

static void tells_fragments_errors_and_neighbours_apart(void **state)
{
    (void)state;
    struct datagram datagram;
    size_t len = write_hello(1, true);
    frame[ETHERNET_HEADER_LEN + 6] = 58; // ICMPv6
    frame[ETHERNET_HEADER_LEN + IPV6_HEADER_LEN] = 1;
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_ICMP_ERROR);
    frame[ETHERNET_HEADER_LEN + IPV6_HEADER_LEN] = 135;
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_NEIGHBOUR);
    frame[ETHERNET_HEADER_LEN + IPV6_HEADER_LEN] = 128;
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_OTHER);
    frame[ETHERNET_HEADER_LEN + 6] = 44;
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_FRAGMENT);
    store_be16(frame + 12, ETHERTYPE_ARP);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_NEIGHBOUR);
    store_be16(frame + 12, 0x88CC);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_frame_that_another_made),
        cmocka_unit_test(writes_the_checksum_of_ipv6_that_another_made),
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(bytes_after_the_datagram_are_padding),
        cmocka_unit_test(a_wrong_bit_in_addresses_ports_or_payload_is_a_bad_checksum),
        cmocka_unit_test(without_checksum_ipv4_is_taken_and_ipv6_is_not),
        cmocka_unit_test(what_is_cut_short_is_not_read),
        cmocka_unit_test(a_datagram_longer_than_its_packet_is_not_read),
        cmocka_unit_test(a_piece_of_an_ipv4_packet_is_a_fragment),
        cmocka_unit_test(tells_fragments_errors_and_neighbours_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
