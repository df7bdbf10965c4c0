// SPDX-License-Identifier: BSD-3-Clause
// Every attribute that the builder writes: its bytes, its zero padding, and that it reads back.
#include "proto/builder.h"

#include "proto/integrity.h"
#include "support.h"
#include "vectors.h"

// Dirty, so that a byte that is left unwritten shows.
static struct stun_builder begin(uint8_t *buffer, size_t capacity)
{
    struct stun_builder builder;

    memset(buffer, 0xA5, capacity);
    stun_builder_init(&builder, buffer, capacity, STUN_CLASS_SUCCESS, STUN_METHOD_ALLOCATE,
                      test_transaction_id);
    return builder;
}

static struct transport_address address_of(const char *text)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse(text, &address), 0);
    return address;
}

// The attribute's whole bytes, header and padding included, after a message header.
static void assert_attribute(const struct stun_builder *builder, const void *expected, size_t len)
{
    assert_int_equal(builder->len, STUN_HEADER_LEN + len);
    assert_memory_equal(builder->buffer + STUN_HEADER_LEN, expected, len);
    parse_built(builder);
}

static void writes_the_header_of_rfc_8489_section_5(void **state)
{
    static const uint8_t expected[] = {0x01, 0x03, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1,  2,
                                       3,    4,    5, 6, 7,    8,    9,    10,   11, 12};
    uint8_t buffer[STUN_HEADER_LEN];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    assert_int_equal(stun_builder_finish(&builder), STUN_HEADER_LEN);
    assert_memory_equal(buffer, expected, sizeof(expected));
}

static void keeps_the_length_right_after_every_attribute(void **state)
{
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    for (size_t len = 0; len < 10; len++) {
        stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "0123456789", len);
        assert_int_equal(load_be16(buffer + 2) + STUN_HEADER_LEN, stun_builder_finish(&builder));
        parse_built(&builder);
    }
}

static void pads_with_zeros_to_a_word(void **state)
{
    static const char *const expected[] = {"\0\x13\0\0", "\0\x13\0\x01w\0\0\0",
                                           "\0\x13\0\x02wx\0\0", "\0\x13\0\x03wxy\0",
                                           "\0\x13\0\x04wxyz"};

    (void)state;
    for (size_t len = 0; len <= 4; len++) {
        uint8_t buffer[64];
        struct stun_builder builder = begin(buffer, sizeof(buffer));

        stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "wxyz", len);
        assert_attribute(&builder, expected[len], len == 0 ? 4 : 8);
        assert_int_equal(buffer[builder.len], 0xA5);
    }
}

static void writes_each_attribute_as_its_rfc_draws_it(void **state)
{
    uint8_t buffer[64];
    struct stun_builder builder;

    (void)state;
    builder = begin(buffer, sizeof(buffer));
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 0x01020304);
    assert_attribute(&builder, "\0\x0d\0\x04\x01\x02\x03\x04", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    assert_attribute(&builder, "\0\x1a\0\0", 4);
    builder = begin(buffer, sizeof(buffer));
    stun_add_channel_number(&builder, 0x4ABC);
    assert_attribute(&builder, "\0\x0c\0\x04\x4a\xbc\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_even_port(&builder, true);
    assert_attribute(&builder, "\0\x18\0\x01\x80\0\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_even_port(&builder, false);
    assert_attribute(&builder, "\0\x18\0\x01\0\0\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_requested_transport(&builder, 17);
    assert_attribute(&builder, "\0\x19\0\x04\x11\0\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_address_family(&builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, IP_FAMILY_V4);
    assert_attribute(&builder, "\0\x17\0\x04\x01\0\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_address_family(&builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, IP_FAMILY_V6);
    assert_attribute(&builder, "\x80\0\0\x04\x02\0\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_icmp(&builder, 3, 4, 1500);
    assert_attribute(&builder, "\x80\x04\0\x08\0\0\x03\x04\0\0\x05\xdc", 12);
    builder = begin(buffer, sizeof(buffer));
    stun_add_password_algorithm(&builder, STUN_PASSWORD_ALGORITHM_SHA256);
    assert_attribute(&builder, "\0\x1d\0\x04\0\x02\0\0", 8);
    builder = begin(buffer, sizeof(buffer));
    stun_add_password_algorithms(&builder, (const uint16_t[]){2, 1}, 2);
    assert_attribute(&builder, "\x80\x02\0\x08\0\x02\0\0\0\x01\0\0", 12);
    builder = begin(buffer, sizeof(buffer));
    stun_add_unknown_attributes(&builder, (const uint16_t[]){0x24, 0x7FFF, 0x03}, 3);
    assert_attribute(&builder, "\0\x0a\0\x06\0\x24\x7f\xff\0\x03\0\0", 12);
    builder = begin(buffer, sizeof(buffer));
    stun_add_error_code(&builder, STUN_ERROR_FORBIDDEN);
    assert_attribute(&builder,
                     "\0\x09\0\x0d\0\0\x04\x03"
                     "Forbidden\0\0\0",
                     20);
    builder = begin(buffer, sizeof(buffer));
    stun_add_address_error_code(&builder, IP_FAMILY_V6, STUN_ERROR_ADDRESS_FAMILY_NOT_SUPPORTED);
    assert_attribute(&builder,
                     "\x80\x01\0\x20\x02\0\x04\x28"
                     "Address Family not Supported",
                     36);
}

static void writes_a_plain_address_of_each_family(void **state)
{
    struct transport_address v4 = address_of("192.0.2.1:258");
    struct transport_address v6 = address_of("[2001:db8::1]:258");
    uint8_t buffer[64];
    struct stun_builder builder;

    (void)state;
    builder = begin(buffer, sizeof(buffer));
    stun_add_address(&builder, STUN_ATTRIBUTE_MAPPED_ADDRESS, &v4);
    assert_attribute(&builder, "\0\x01\0\x08\0\x01\x01\x02\xc0\0\x02\x01", 12);
    builder = begin(buffer, sizeof(buffer));
    stun_add_address(&builder, STUN_ATTRIBUTE_ALTERNATE_SERVER, &v6);
    assert_attribute(&builder,
                     "\x80\x23\0\x14\0\x02\x01\x02\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 24);
}

static void writes_the_mapped_addresses_of_rfc_5769(void **state)
{
    static const size_t offset = STUN_HEADER_LEN + 16; // past SOFTWARE
    struct transport_address v4 = address_of("192.0.2.1:32853");
    struct transport_address v6 = address_of("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    uint8_t buffer[64];
    struct stun_builder builder;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_SUCCESS, STUN_METHOD_BINDING,
                      vector_ipv4_response + 8);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &v4);
    assert_attribute(&builder, vector_ipv4_response + offset, 12);
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_SUCCESS, STUN_METHOD_BINDING,
                      vector_ipv6_response + 8);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &v6);
    assert_attribute(&builder, vector_ipv6_response + offset, 24);
}

// Byte for byte, but for the vectors' padding, which is spaces where we write zeros.
static void rebuilds_the_ipv4_response_of_rfc_5769(void **state)
{
    struct span password = span_of(VECTOR_SHORT_TERM_PASSWORD);
    struct transport_address mapped = address_of("192.0.2.1:32853");
    struct integrity_key key = {.len = (uint8_t)password.len};
    uint8_t expected[sizeof(vector_ipv4_response)];
    uint8_t buffer[sizeof(vector_ipv4_response)];
    struct stun_builder builder;
    const size_t mac_offset = STUN_HEADER_LEN + 16 + 12;

    (void)state;
    memcpy(key.bytes, password.data, password.len);
    memcpy(expected, vector_ipv4_response, sizeof(expected));
    expected[STUN_HEADER_LEN + 4 + 11] = 0;
    integrity_sha1(&key, expected, mac_offset, expected + mac_offset + 4);

    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_SUCCESS, STUN_METHOD_BINDING,
                      vector_ipv4_response + 8);
    stun_add_string(&builder, STUN_ATTRIBUTE_SOFTWARE, "test vector");
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped);
    stun_add_message_integrity(&builder, &key);
    stun_add_fingerprint(&builder);
    assert_int_equal(stun_builder_finish(&builder), sizeof(expected));
    assert_memory_equal(buffer, expected, sizeof(expected) - 4);
    parse_built(&builder);
}

// RFC 5769 section 2.4 is padded with zeros: all of it can be rebuilt.
static void rebuilds_the_long_term_request_of_rfc_5769(void **state)
{
    uint8_t buffer[sizeof(vector_long_term_request)];
    struct integrity_key key;
    struct stun_builder builder;

    (void)state;
    assert_int_equal(integrity_key_derive(
                         STUN_PASSWORD_ALGORITHM_MD5, span_of(VECTOR_LONG_TERM_USERNAME),
                         span_of(VECTOR_LONG_TERM_REALM), span_of(VECTOR_LONG_TERM_PASSWORD), &key),
                     0);
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_BINDING,
                      vector_long_term_request + 8);
    stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, VECTOR_LONG_TERM_USERNAME);
    stun_add_string(&builder, STUN_ATTRIBUTE_NONCE, "f//499k954d6OL34oL9FSTvy64sA");
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, VECTOR_LONG_TERM_REALM);
    stun_add_message_integrity(&builder, &key);
    assert_int_equal(stun_builder_finish(&builder), sizeof(buffer));
    assert_memory_equal(buffer, vector_long_term_request, sizeof(buffer));
}

static void reads_back_every_address_that_it_writes(void **state)
{
    static const uint16_t xored[] = {STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
                                     STUN_ATTRIBUTE_XOR_PEER_ADDRESS,
                                     STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS};
    static const uint16_t plain[] = {STUN_ATTRIBUTE_MAPPED_ADDRESS,
                                     STUN_ATTRIBUTE_ALTERNATE_SERVER};
    static const char *const texts[] = {
        "0.0.0.0:0", "255.255.255.255:65535", "192.0.2.1:3478",
        "[::]:0",    "[2001:db8::1]:3478",    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"};
    uint8_t buffer[64];

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct transport_address written = address_of(texts[i]);

        for (unsigned j = 0; j < sizeof(xored) / sizeof(xored[0]); j++) {
            struct stun_builder builder = begin(buffer, sizeof(buffer));
            struct stun_message message;
            struct transport_address read;

            stun_add_xor_address(&builder, xored[j], &written);
            message = parse_built(&builder);
            assert_int_equal(stun_message_xor_address(&message, xored[j], &read), STUN_VALUE_OK);
            assert_true(transport_address_equal(&read, &written));
        }
        for (unsigned j = 0; j < sizeof(plain) / sizeof(plain[0]); j++) {
            struct stun_builder builder = begin(buffer, sizeof(buffer));
            struct stun_message message;
            struct transport_address read;

            stun_add_address(&builder, plain[j], &written);
            message = parse_built(&builder);
            assert_int_equal(stun_message_address(&message, plain[j], &read), STUN_VALUE_OK);
            assert_true(transport_address_equal(&read, &written));
        }
    }
}

static void reads_back_every_string_that_it_writes(void **state)
{
    static const uint16_t types[] = {STUN_ATTRIBUTE_USERNAME, STUN_ATTRIBUTE_REALM,
                                     STUN_ATTRIBUTE_NONCE, STUN_ATTRIBUTE_SOFTWARE,
                                     STUN_ATTRIBUTE_ALTERNATE_DOMAIN};
    uint8_t buffer[64];

    (void)state;
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct stun_builder builder = begin(buffer, sizeof(buffer));
        struct stun_message message;
        struct span text;

        stun_add_string(&builder, types[i], "turn.example");
        message = parse_built(&builder);
        assert_int_equal(stun_message_string(&message, types[i], &text), STUN_VALUE_OK);
        assert_span_equal(text, "turn.example", 12);
    }
}

// Every attribute of RFC 8489 and RFC 8656 that is neither an address nor a string, in one message.
static void reads_back_every_other_attribute_that_it_writes(void **state)
{
    static const uint8_t hash[USERHASH_LEN] = {1, [31] = 32};
    static const uint8_t token[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    uint8_t buffer[512];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;
    const uint8_t *read_hash;
    uint8_t read_token[8];
    enum ip_family family;
    struct span span;
    uint16_t list[4];
    uint16_t u16;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint8_t u8;
    uint32_t u32;
    unsigned error;
    unsigned count;
    bool flag;

    (void)state;
    stun_add_error_code(&builder, STUN_ERROR_INSUFFICIENT_CAPACITY);
    stun_add_unknown_attributes(&builder, (const uint16_t[]){0x24, 0x25, 0x26}, 3);
    stun_add_channel_number(&builder, 0x4FFF);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, UINT32_MAX);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "payload", 7);
    stun_add_address_family(&builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, IP_FAMILY_V6);
    stun_add_even_port(&builder, true);
    stun_add_requested_transport(&builder, 6);
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    stun_add_password_algorithm(&builder, STUN_PASSWORD_ALGORITHM_MD5);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_USERHASH, hash, sizeof(hash));
    stun_add_bytes(&builder, STUN_ATTRIBUTE_RESERVATION_TOKEN, token, sizeof(token));
    stun_add_address_family(&builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, IP_FAMILY_V4);
    stun_add_address_error_code(&builder, IP_FAMILY_V4, STUN_ERROR_INSUFFICIENT_CAPACITY);
    stun_add_password_algorithms(&builder, (const uint16_t[]){2, 1}, 2);
    stun_add_icmp(&builder, 11, 1, 0);
    message = parse_built(&builder);

    assert_int_equal(message.unknown_count, 0);
    assert_int_equal(stun_message_error_code(&message, &error, &span), STUN_VALUE_OK);
    assert_int_equal(error, 508);
    assert_span_equal(span, "Insufficient Capacity", 21);
    assert_int_equal(stun_message_unknown_attributes(&message, list, 4, &count), STUN_VALUE_OK);
    assert_int_equal(count, 3);
    assert_int_equal(list[2], 0x26);
    assert_int_equal(stun_message_channel_number(&message, &u16), STUN_VALUE_OK);
    assert_int_equal(u16, 0x4FFF);
    assert_int_equal(stun_message_u32(&message, STUN_ATTRIBUTE_LIFETIME, &u32), STUN_VALUE_OK);
    assert_true(u32 == UINT32_MAX);
    assert_true(stun_message_find(&message, STUN_ATTRIBUTE_DATA, &span));
    assert_span_equal(span, "payload", 7);
    assert_int_equal(
        stun_message_address_family(&message, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, &family),
        STUN_VALUE_OK);
    assert_int_equal(family, IP_FAMILY_V6);
    assert_int_equal(stun_message_even_port(&message, &flag), STUN_VALUE_OK);
    assert_true(flag);
    assert_int_equal(stun_message_requested_transport(&message, &u8), STUN_VALUE_OK);
    assert_int_equal(u8, 6);
    assert_int_equal(stun_message_flag(&message, STUN_ATTRIBUTE_DONT_FRAGMENT), STUN_VALUE_OK);
    assert_int_equal(stun_message_password_algorithm(&message, &u16), STUN_VALUE_OK);
    assert_int_equal(u16, STUN_PASSWORD_ALGORITHM_MD5);
    assert_int_equal(stun_message_userhash(&message, &read_hash), STUN_VALUE_OK);
    assert_memory_equal(read_hash, hash, sizeof(hash));
    assert_int_equal(stun_message_reservation_token(&message, read_token), STUN_VALUE_OK);
    assert_memory_equal(read_token, token, sizeof(token));
    assert_int_equal(
        stun_message_address_family(&message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, &family),
        STUN_VALUE_OK);
    assert_int_equal(family, IP_FAMILY_V4);
    assert_int_equal(stun_message_address_error_code(&message, &family, &error, &span),
                     STUN_VALUE_OK);
    assert_int_equal(family, IP_FAMILY_V4);
    assert_int_equal(error, 508);
    assert_span_equal(span, "Insufficient Capacity", 21);
    assert_int_equal(stun_message_password_algorithms(&message, list, 4, &count), STUN_VALUE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(list[0], STUN_PASSWORD_ALGORITHM_SHA256);
    assert_int_equal(list[1], STUN_PASSWORD_ALGORITHM_MD5);
    assert_int_equal(stun_message_icmp(&message, &icmp_type, &icmp_code, &u32), STUN_VALUE_OK);
    assert_int_equal(icmp_type, 11);
    assert_int_equal(icmp_code, 1);
    assert_int_equal(u32, 0);
}

// One of each add function, for the overflow tests.
static const struct integrity_key some_key = {.bytes = {1, 2, 3}, .len = 16};
static const struct transport_address some_address = {.ip = {.family = IP_FAMILY_V6}, .port = 1};

static void add_bytes(struct stun_builder *builder)
{
    stun_add_bytes(builder, STUN_ATTRIBUTE_DATA, "12345", 5);
}

static void add_u32(struct stun_builder *builder)
{
    stun_add_u32(builder, STUN_ATTRIBUTE_LIFETIME, 1);
}

static void add_flag(struct stun_builder *builder)
{
    stun_add_flag(builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
}

static void add_string(struct stun_builder *builder)
{
    stun_add_string(builder, STUN_ATTRIBUTE_REALM, "realm");
}

static void add_address(struct stun_builder *builder)
{
    stun_add_address(builder, STUN_ATTRIBUTE_MAPPED_ADDRESS, &some_address);
}

static void add_xor_address(struct stun_builder *builder)
{
    stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &some_address);
}

static void add_error_code(struct stun_builder *builder)
{
    stun_add_error_code(builder, 400);
}

static void add_unknown_attributes(struct stun_builder *builder)
{
    stun_add_unknown_attributes(builder, (const uint16_t[]){1, 2, 3}, 3);
}

static void add_channel_number(struct stun_builder *builder)
{
    stun_add_channel_number(builder, 0x4000);
}

static void add_even_port(struct stun_builder *builder)
{
    stun_add_even_port(builder, true);
}

static void add_requested_transport(struct stun_builder *builder)
{
    stun_add_requested_transport(builder, 17);
}

static void add_address_family(struct stun_builder *builder)
{
    stun_add_address_family(builder, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, IP_FAMILY_V4);
}

static void add_address_error_code(struct stun_builder *builder)
{
    stun_add_address_error_code(builder, IP_FAMILY_V4, 440);
}

static void add_icmp(struct stun_builder *builder)
{
    stun_add_icmp(builder, 1, 2, 3);
}

static void add_password_algorithm(struct stun_builder *builder)
{
    stun_add_password_algorithm(builder, 1);
}

static void add_password_algorithms(struct stun_builder *builder)
{
    stun_add_password_algorithms(builder, (const uint16_t[]){2, 1}, 2);
}

static void add_message_integrity(struct stun_builder *builder)
{
    stun_add_message_integrity(builder, &some_key);
}

static void add_message_integrity_sha256(struct stun_builder *builder)
{
    stun_add_message_integrity_sha256(builder, &some_key);
}

static void (*const adds[])(struct stun_builder *builder) = {
    add_bytes,
    add_u32,
    add_flag,
    add_string,
    add_address,
    add_xor_address,
    add_error_code,
    add_unknown_attributes,
    add_channel_number,
    add_even_port,
    add_requested_transport,
    add_address_family,
    add_address_error_code,
    add_icmp,
    add_password_algorithm,
    add_password_algorithms,
    add_message_integrity,
    add_message_integrity_sha256,
    stun_add_fingerprint,
};

static void fills_a_buffer_to_its_last_byte_and_refuses_one_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(adds) / sizeof(adds[0]); i++) {
        uint8_t whole[128];
        uint8_t buffer[128];
        struct stun_builder builder = begin(whole, sizeof(whole));
        size_t needed;

        adds[i](&builder);
        needed = stun_builder_finish(&builder);
        for (size_t capacity = STUN_HEADER_LEN; capacity <= needed; capacity++) {
            uint8_t before[128];

            builder = begin(buffer, sizeof(buffer));
            builder.capacity = (uint32_t)capacity;
            memcpy(before, buffer, sizeof(buffer));
            adds[i](&builder);
            if (capacity == needed) {
                assert_int_equal(stun_builder_finish(&builder), needed);
                assert_memory_equal(buffer, whole, needed);
            } else {
                assert_true(builder.overflow);
                assert_int_equal(stun_builder_finish(&builder), 0);
                assert_int_equal(builder.len, STUN_HEADER_LEN);
                assert_memory_equal(buffer, before, sizeof(buffer));
            }
        }
    }
}

static void stays_overflown_whatever_fits_afterwards(void **state)
{
    uint8_t buffer[STUN_HEADER_LEN + 8];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "12345", 5);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 1);
    assert_int_equal(builder.len, sizeof(buffer));
    assert_int_equal(stun_builder_finish(&builder), 0);
}

static void refuses_a_value_whose_length_cannot_be_said(void **state)
{
    static uint8_t buffer[70000];
    static const uint8_t value[70000];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, value, 65536);
    assert_int_equal(stun_builder_finish(&builder), 0);
    builder = begin(buffer, sizeof(buffer));
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, value, SIZE_MAX);
    assert_int_equal(stun_builder_finish(&builder), 0);
    builder = begin(buffer, sizeof(buffer));
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, value,
                   STUN_MESSAGE_MAX_LEN - STUN_HEADER_LEN - 4 + 1);
    assert_int_equal(stun_builder_finish(&builder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_header_of_rfc_8489_section_5),
        cmocka_unit_test(keeps_the_length_right_after_every_attribute),
        cmocka_unit_test(pads_with_zeros_to_a_word),
        cmocka_unit_test(writes_each_attribute_as_its_rfc_draws_it),
        cmocka_unit_test(writes_a_plain_address_of_each_family),
        cmocka_unit_test(writes_the_mapped_addresses_of_rfc_5769),
        cmocka_unit_test(rebuilds_the_ipv4_response_of_rfc_5769),
        cmocka_unit_test(rebuilds_the_long_term_request_of_rfc_5769),
        cmocka_unit_test(reads_back_every_address_that_it_writes),
        cmocka_unit_test(reads_back_every_string_that_it_writes),
        cmocka_unit_test(reads_back_every_other_attribute_that_it_writes),
        cmocka_unit_test(fills_a_buffer_to_its_last_byte_and_refuses_one_more),
        cmocka_unit_test(stays_overflown_whatever_fits_afterwards),
        cmocka_unit_test(refuses_a_value_whose_length_cannot_be_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
