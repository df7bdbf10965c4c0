// SPDX-License-Identifier: BSD-3-Clause
// The PROXY protocol's header, version 2 (HAProxy's proxy-protocol.txt, section 2.2).
#include "proto/proxy_header.h"

#include "support.h"

#include <stdlib.h>

#define VECTOR_LEN 100

// As a load balancer of AWS sends it to an endpoint service: addresses, CRC32c, the endpoint's id,
// NOOP of 36 zeros.
static const uint8_t vector[VECTOR_LEN] =
    "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x54\xac\x1f\x07\x71\xac\x1f\x0a"
    "\x1f\xc8\xf2\x00\x50\x03\x00\x04\xe8\xd6\x89\x2d\xea\x00\x17\x01vpce-08d2bf15fac5001c9\x04"
    "\x00\x24";

#define FIXED_LEN 16

struct header {
    uint8_t bytes[2048];
    size_t len;
};

// The length is kept right.
static void append(struct header *header, const void *bytes, size_t len)
{
    assert_true(header->len + len <= sizeof(header->bytes));
    memcpy(header->bytes + header->len, bytes, len);
    header->len += len;
    store_be16(header->bytes + 14, (uint16_t)(header->len - FIXED_LEN));
}

static struct header begin(uint8_t command, uint8_t family)
{
    struct header header = {.len = FIXED_LEN};

    memcpy(header.bytes, vector, 12);
    header.bytes[12] = command;
    header.bytes[13] = family;
    return header;
}

static struct header tcp_over_ipv4(void)
{
    struct header header = begin(0x21, 0x11);

    append(&header, "\xC0\x00\x02\x01\xC6\x33\x64\x02\x30\x39\x0D\x96", 12);
    return header;
}

static void append_tlv(struct header *header, uint8_t type, const void *value, uint16_t len)
{
    const uint8_t head[] = {type, (uint8_t)(len >> 8), (uint8_t)len};

    append(header, head, sizeof(head));
    append(header, value, len);
}

// From bytes that end where their allocation ends, so that a sanitizer sees a read behind them.
static enum proxy_header_verdict parse_tight(const uint8_t *bytes, size_t len,
                                             struct proxy_header *ret_header)
{
    uint8_t *copy = malloc(len + 1);
    enum proxy_header_verdict verdict;

    assert_non_null(copy);
    memcpy(copy + 1, bytes, len);
    verdict = proxy_header_parse((struct span){copy + 1, len}, ret_header);
    free(copy);
    return verdict;
}

static enum proxy_header_verdict parse(const struct header *bytes)
{
    struct proxy_header header;

    return parse_tight(bytes->bytes, bytes->len, &header);
}

// How many bytes of these it takes to be BAD; 0: all of them are not enough.
static size_t bytes_until_bad(const uint8_t *bytes, size_t len)
{
    struct proxy_header header;

    for (size_t there = 1; there <= len; there++)
        if (parse_tight(bytes, there, &header) == PROXY_HEADER_BAD)
            return there;
    return 0;
}

static void assert_address(const struct transport_address *actual, const char *expected)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    assert_string_equal(transport_address_format(actual, text), expected);
}

static void reads_the_addresses_of_a_client_over_ipv4(void **state)
{
    struct header bytes = tcp_over_ipv4();
    struct proxy_header header;

    (void)state;
    assert_int_equal(parse_tight(bytes.bytes, bytes.len, &header), PROXY_HEADER_PROXIED);
    assert_address(&header.source, "192.0.2.1:12345");
    assert_address(&header.destination, "198.51.100.2:3478");
    assert_int_equal(header.len, 28);
}

static void reads_the_addresses_of_a_client_over_ipv6(void **state)
{
    struct header bytes = begin(0x21, 0x21);
    struct proxy_header header;

    (void)state;
    append(&bytes, "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    append(&bytes, "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    append(&bytes, "\x30\x39\x0D\x96", 4);
    assert_int_equal(parse_tight(bytes.bytes, bytes.len, &header), PROXY_HEADER_PROXIED);
    assert_address(&header.source, "[2001:db8::1]:12345");
    assert_address(&header.destination, "[2001:db8::2]:3478");
    assert_int_equal(header.len, 52);
}

static void reads_what_a_load_balancer_sends(void **state)
{
    struct proxy_header header;

    (void)state;
    assert_int_equal(parse_tight(vector, VECTOR_LEN, &header), PROXY_HEADER_PROXIED);
    assert_address(&header.source, "172.31.7.113:51442");
    assert_address(&header.destination, "172.31.10.31:80");
    assert_int_equal(header.len, VECTOR_LEN);
}

static void leaves_what_follows_to_the_client(void **state)
{
    uint8_t stream[VECTOR_LEN + 20];
    struct proxy_header header;

    (void)state;
    memcpy(stream, vector, VECTOR_LEN);
    memset(stream + VECTOR_LEN, 0xFF, 20);
    assert_int_equal(parse_tight(stream, sizeof(stream), &header), PROXY_HEADER_PROXIED);
    assert_int_equal(header.len, VECTOR_LEN);
}

static void says_what_a_header_takes_as_soon_as_its_length_is_there(void **state)
{
    static const struct transport_address none;
    struct proxy_header header;

    (void)state;
    assert_int_equal(proxy_header_parse((struct span){0}, &header), PROXY_HEADER_NEED_MORE);
    assert_int_equal(header.len, FIXED_LEN);
    for (size_t there = 0; there < VECTOR_LEN; there++) {
        assert_int_equal(parse_tight(vector, there, &header), PROXY_HEADER_NEED_MORE);
        assert_int_equal(header.len, there < FIXED_LEN ? FIXED_LEN : VECTOR_LEN);
        assert_true(transport_address_equal(&header.source, &none));
        assert_true(transport_address_equal(&header.destination, &none));
    }
}

static void keeps_the_sockets_addresses_for_a_connection_of_the_proxys_own(void **state)
{
    static const struct transport_address none;
    struct header bytes = begin(0x20, 0);
    struct proxy_header header;

    (void)state;
    assert_int_equal(parse(&bytes), PROXY_HEADER_LOCAL);
    append(&bytes, "whatever comes with it", 22);
    for (unsigned family = 0; family < 256; family++) {
        bytes.bytes[13] = (uint8_t)family;
        assert_int_equal(parse_tight(bytes.bytes, bytes.len, &header), PROXY_HEADER_LOCAL);
        assert_int_equal(header.len, bytes.len);
        assert_true(transport_address_equal(&header.source, &none));
    }
}

static void keeps_the_sockets_addresses_where_the_header_gives_none_of_tcp(void **state)
{
    static const uint8_t zeros[216];
    static const size_t addresses_len[] = {0, 12, 36, 216};

    (void)state;
    for (unsigned family = 0; family < 256; family++) {
        struct header bytes = begin(0x21, (uint8_t)family);
        bool is_known = family >> 4 <= 3 && (family & 15) <= 2;

        append(&bytes, zeros, is_known ? addresses_len[family >> 4] : 0);
        assert_int_equal(parse(&bytes), !is_known                          ? PROXY_HEADER_BAD
                                        : family == 0x11 || family == 0x21 ? PROXY_HEADER_PROXIED
                                                                           : PROXY_HEADER_LOCAL);
    }
}

static void skips_whatever_comes_with_an_unspecified_family(void **state)
{
    struct header bytes = begin(0x21, 0);

    (void)state;
    append(&bytes, "\x03\xFF", 2);
    assert_int_equal(parse(&bytes), PROXY_HEADER_LOCAL);
}

static void refuses_version_1_at_its_first_byte(void **state)
{
    static const uint8_t text[] = "PROXY TCP4 192.0.2.1 198.51.100.2 12345 3478\r\n";

    (void)state;
    assert_int_equal(bytes_until_bad(text, sizeof(text)), 1);
}

static void refuses_a_wrong_signature_at_its_first_wrong_byte(void **state)
{
    uint8_t bytes[VECTOR_LEN];

    (void)state;
    for (size_t wrong = 0; wrong < 12; wrong++) {
        memcpy(bytes, vector, sizeof(bytes));
        bytes[wrong] ^= 1;
        assert_int_equal(bytes_until_bad(bytes, sizeof(bytes)), wrong + 1);
    }
}

static void refuses_every_other_version_and_command(void **state)
{
    (void)state;
    for (unsigned command = 0; command < 256; command++) {
        struct header bytes = begin((uint8_t)command, 0);

        assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len),
                         command == 0x20 || command == 0x21 ? 0 : 13);
    }
}

static void refuses_an_unknown_family_or_transport_at_its_byte(void **state)
{
    struct header bytes = begin(0x21, 0x41);

    (void)state;
    assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len), 14);
    bytes.bytes[13] = 0x13;
    assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len), 14);
}

static void refuses_a_header_too_short_for_its_addresses(void **state)
{
    static const size_t addresses_len[] = {0, 12, 36, 216};
    static const uint8_t zeros[216];

    (void)state;
    for (uint8_t family = 1; family <= 3; family++) {
        for (size_t len = 0; len <= addresses_len[family]; len++) {
            struct header bytes = begin(0x21, (uint8_t)(family << 4 | 1));

            append(&bytes, zeros, len);
            assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len),
                             len < addresses_len[family] ? FIXED_LEN : 0);
        }
    }
}

static void refuses_a_header_longer_than_the_limit_before_it_has_come(void **state)
{
    static const uint8_t zeros[PROXY_HEADER_MAX_LEN];
    struct header bytes = tcp_over_ipv4();

    (void)state;
    append_tlv(&bytes, 0x04, zeros, (uint16_t)(PROXY_HEADER_MAX_LEN - bytes.len - 3));
    assert_int_equal(bytes.len, PROXY_HEADER_MAX_LEN);
    assert_int_equal(parse(&bytes), PROXY_HEADER_PROXIED);
    bytes = tcp_over_ipv4();
    append_tlv(&bytes, 0x04, zeros, (uint16_t)(PROXY_HEADER_MAX_LEN - bytes.len - 2));
    assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len), FIXED_LEN);
    bytes = begin(0x20, 0);
    store_be16(bytes.bytes + 14, UINT16_MAX);
    assert_int_equal(bytes_until_bad(bytes.bytes, bytes.len), FIXED_LEN);
}

static void skips_tlvs_known_and_unknown(void **state)
{
    // PP2_TYPE_SSL: client, verify, and in it PP2_SUBTYPE_SSL_VERSION.
    static const uint8_t ssl[] = {1, 0, 0, 0, 0, 0x21, 0, 7, 'T', 'L', 'S', 'v', '1', '.', '3'};

    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct header bytes = tcp_over_ipv4();

        if (type == 0x03)
            continue;
        append_tlv(&bytes, (uint8_t)type, "", 0);
        append_tlv(&bytes, 0x20, ssl, sizeof(ssl));
        append_tlv(&bytes, (uint8_t)type, ssl, sizeof(ssl));
        assert_int_equal(parse(&bytes), PROXY_HEADER_PROXIED);
    }
}

static void refuses_tlvs_that_do_not_end_with_the_header(void **state)
{
    struct header whole = tcp_over_ipv4();
    size_t first_end;

    (void)state;
    append_tlv(&whole, 0x04, "abc", 3);
    first_end = whole.len;
    append_tlv(&whole, 0x02, "turn.example.org", 16);
    for (size_t len = 28; len <= whole.len; len++) {
        struct header cut = whole;

        cut.len = 16;
        append(&cut, whole.bytes + 16, len - 16);
        assert_int_equal(parse(&cut), len == 28 || len == first_end || len == whole.len
                                          ? PROXY_HEADER_PROXIED
                                          : PROXY_HEADER_BAD);
    }
}

static void checks_the_tlvs_of_addresses_that_it_does_not_use(void **state)
{
    static const uint8_t zeros[216];
    struct header bytes = begin(0x21, 0x31);

    (void)state;
    append(&bytes, zeros, sizeof(zeros));
    append_tlv(&bytes, 0x04, zeros, 5);
    assert_int_equal(parse(&bytes), PROXY_HEADER_LOCAL);
    append(&bytes, "\x04", 1);
    assert_int_equal(parse(&bytes), PROXY_HEADER_BAD);
    bytes = begin(0x21, 0x12);
    append(&bytes, zeros, 12);
    append_tlv(&bytes, 0x03, "\0\0\0\0", 4);
    assert_int_equal(parse(&bytes), PROXY_HEADER_BAD);
}

static void refuses_a_header_with_any_bit_changed_under_its_checksum(void **state)
{
    struct proxy_header header = {.len = 7};
    uint8_t bytes[VECTOR_LEN];

    (void)state;
    for (size_t bit = FIXED_LEN * 8; bit < sizeof(bytes) * 8; bit++) {
        // The checksum's own type and length: those changed, there is none, or it is malformed.
        if (bit / 8 >= 28 && bit / 8 < 31)
            continue;
        memcpy(bytes, vector, sizeof(bytes));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(parse_tight(bytes, sizeof(bytes), &header), PROXY_HEADER_BAD);
        assert_int_equal(header.len, 7);
    }
}

static void refuses_a_checksum_of_any_other_length(void **state)
{
    (void)state;
    for (uint16_t len = 0; len <= 8; len++) {
        struct header bytes = tcp_over_ipv4();

        append_tlv(&bytes, 0x03, "\0\0\0\0\0\0\0\0", len);
        assert_int_equal(parse(&bytes), PROXY_HEADER_BAD);
    }
}

static void refuses_two_checksums_though_the_last_is_right(void **state)
{
    struct header bytes = tcp_over_ipv4();

    (void)state;
    append_tlv(&bytes, 0x03, "\0\0\0\0", 4);
    append_tlv(&bytes, 0x03, "\x55\x77\xDB\x77", 4);
    assert_int_equal(parse(&bytes), PROXY_HEADER_BAD);
    bytes.bytes[28] = 0x04;
    memcpy(bytes.bytes + bytes.len - 4, "\xFC\x8F\x07\x54", 4);
    assert_int_equal(parse(&bytes), PROXY_HEADER_PROXIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_addresses_of_a_client_over_ipv4),
        cmocka_unit_test(reads_the_addresses_of_a_client_over_ipv6),
        cmocka_unit_test(reads_what_a_load_balancer_sends),
        cmocka_unit_test(leaves_what_follows_to_the_client),
        cmocka_unit_test(says_what_a_header_takes_as_soon_as_its_length_is_there),
        cmocka_unit_test(keeps_the_sockets_addresses_for_a_connection_of_the_proxys_own),
        cmocka_unit_test(keeps_the_sockets_addresses_where_the_header_gives_none_of_tcp),
        cmocka_unit_test(skips_whatever_comes_with_an_unspecified_family),
        cmocka_unit_test(refuses_version_1_at_its_first_byte),
        cmocka_unit_test(refuses_a_wrong_signature_at_its_first_wrong_byte),
        cmocka_unit_test(refuses_every_other_version_and_command),
        cmocka_unit_test(refuses_an_unknown_family_or_transport_at_its_byte),
        cmocka_unit_test(refuses_a_header_too_short_for_its_addresses),
        cmocka_unit_test(refuses_a_header_longer_than_the_limit_before_it_has_come),
        cmocka_unit_test(skips_tlvs_known_and_unknown),
        cmocka_unit_test(refuses_tlvs_that_do_not_end_with_the_header),
        cmocka_unit_test(checks_the_tlvs_of_addresses_that_it_does_not_use),
        cmocka_unit_test(refuses_a_header_with_any_bit_changed_under_its_checksum),
        cmocka_unit_test(refuses_a_checksum_of_any_other_length),
        cmocka_unit_test(refuses_two_checksums_though_the_last_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
