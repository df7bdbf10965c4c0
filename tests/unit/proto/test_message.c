// SPDX-License-Identifier: BSD-3-Clause
// Reading messages: every verdict, the order rules, every typed read with every wrong length.
#include "proto/message.h"

#include "support.h"
#include "vectors.h"

#include <stdlib.h>
#include <zlib.h>

#define UNKNOWN_TYPE 0x0024 // PRIORITY: ICE's, not ours

static struct stun_builder begin(uint8_t *buffer, size_t capacity)
{
    struct stun_builder builder;

    stun_builder_init(&builder, buffer, capacity, STUN_CLASS_REQUEST, STUN_METHOD_ALLOCATE,
                      test_transaction_id);
    return builder;
}

static enum stun_verdict parse(const void *bytes, size_t len)
{
    struct stun_message message;

    return stun_message_parse((struct span){bytes, len}, &message);
}

// Attributes of every kind, padded and not, with a fingerprint and without integrity.
static size_t build_rich(uint8_t *buffer, size_t capacity)
{
    struct stun_builder builder = begin(buffer, capacity);
    struct transport_address peer;

    assert_int_equal(transport_address_parse("[2001:db8::5]:5", &peer), 0);
    stun_add_string(&builder, STUN_ATTRIBUTE_SOFTWARE, "rich");
    stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, "u");
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    stun_add_even_port(&builder, true);
    stun_add_requested_transport(&builder, 17);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "data!", 5);
    stun_add_fingerprint(&builder);
    return stun_builder_finish(&builder);
}

// Parses a copy that ends where the allocation ends, so that a sanitizer sees a read past it.
static enum stun_verdict parse_tight(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    enum stun_verdict verdict;

    memcpy(copy, bytes, len);
    verdict = parse(copy, len);
    free(copy);
    return verdict;
}

static void refuses_less_than_a_header(void **state)
{
    uint8_t buffer[256];

    (void)state;
    build_rich(buffer, sizeof(buffer));
    for (size_t len = 0; len < STUN_HEADER_LEN; len++)
        assert_int_equal(parse_tight(buffer, len), STUN_TOO_SHORT);
    assert_int_equal(parse(NULL, 0), STUN_TOO_SHORT);
}

static void refuses_a_type_whose_first_two_bits_are_not_zero(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    for (unsigned byte = 64; byte < 256; byte++) {
        buffer[0] = (uint8_t)byte;
        assert_int_equal(parse(buffer, len), STUN_NOT_STUN);
    }
}

static void refuses_any_other_cookie(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        buffer[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(parse(buffer, len), STUN_BAD_COOKIE);
        buffer[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void refuses_a_length_that_is_not_what_the_datagram_holds(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    for (unsigned claimed = 0; claimed <= UINT16_MAX; claimed++) {
        store_be16(buffer + 2, (uint16_t)claimed);
        if (claimed + STUN_HEADER_LEN == len)
            assert_int_equal(parse(buffer, len), STUN_VALID);
        else
            assert_int_equal(parse(buffer, len), STUN_BAD_LENGTH);
    }
}

static void refuses_a_length_that_is_no_multiple_of_four(void **state)
{
    uint8_t buffer[64];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    assert_int_equal(stun_builder_finish(&builder), STUN_HEADER_LEN);
    memset(buffer + STUN_HEADER_LEN, 0, sizeof(buffer) - STUN_HEADER_LEN);
    for (unsigned extra = 1; extra < 8; extra++) {
        store_be16(buffer + 2, (uint16_t)extra);
        if (extra % 4 != 0)
            assert_int_equal(parse(buffer, STUN_HEADER_LEN + extra), STUN_BAD_LENGTH);
    }
}

static void refuses_bytes_after_the_message(void **state)
{
    uint8_t buffer[256] = {0};
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    for (size_t extra = 1; extra <= 8; extra++)
        assert_int_equal(parse(buffer, len + extra), STUN_BAD_LENGTH);
}

static void takes_the_longest_message_and_refuses_a_longer_one(void **state)
{
    static uint8_t buffer[STUN_MESSAGE_MAX_LEN + 4];
    static const uint8_t zeros[STUN_MESSAGE_MAX_LEN];
    struct stun_builder builder = begin(buffer, STUN_MESSAGE_MAX_LEN);

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, zeros,
                   STUN_MESSAGE_MAX_LEN - STUN_HEADER_LEN - 4);
    assert_int_equal(stun_builder_finish(&builder), STUN_MESSAGE_MAX_LEN);
    assert_int_equal(parse(buffer, STUN_MESSAGE_MAX_LEN), STUN_VALID);
    store_be16(buffer + 2, STUN_MESSAGE_MAX_LEN + 4 - STUN_HEADER_LEN);
    assert_int_equal(parse(buffer, STUN_MESSAGE_MAX_LEN + 4), STUN_BAD_LENGTH);
}

static void refuses_a_rich_message_cut_off_at_any_byte(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    assert_int_equal(parse_tight(buffer, len), STUN_VALID);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(parse_tight(buffer, cut),
                         cut < STUN_HEADER_LEN ? STUN_TOO_SHORT : STUN_BAD_LENGTH);
}

// Cut off, and the header made to agree: whole attributes remain, or one runs past the end.
static void refuses_an_attribute_cut_off_at_any_word(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));
    struct stun_message message = parse_valid((struct span){buffer, len});
    bool ends[256] = {[STUN_HEADER_LEN] = true};
    struct stun_attribute_view attribute;
    uint32_t cursor = 0;

    (void)state;
    while (stun_message_next(&message, &cursor, &attribute))
        ends[cursor] = true;
    for (size_t cut = STUN_HEADER_LEN; cut < len; cut += 4) {
        store_be16(buffer + 2, (uint16_t)(cut - STUN_HEADER_LEN));
        assert_int_equal(parse_tight(buffer, cut), ends[cut] ? STUN_VALID : STUN_BAD_ATTRIBUTE);
    }
}

static void refuses_an_attribute_whose_length_runs_past_the_end(void **state)
{
    uint8_t buffer[64];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, "12345678", 8);
    for (unsigned len = 0; len <= UINT16_MAX; len++) {
        enum stun_verdict verdict;

        store_be16(buffer + STUN_HEADER_LEN + 2, (uint16_t)len);
        verdict = parse(buffer, builder.len);
        // 1..4 and 5..8 leave whole attributes: the rest reads as type 0x3536 of length 0x3738,
        // which is too long.
        assert_int_equal(verdict, len > 4 && len <= 8 ? STUN_VALID : STUN_BAD_ATTRIBUTE);
    }
}

static void refuses_a_fingerprint_with_any_bit_changed(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    for (size_t bit = (len - 4) * 8; bit < len * 8; bit++) {
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(parse(buffer, len), STUN_BAD_FINGERPRINT);
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void refuses_a_message_changed_under_its_fingerprint(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));

    (void)state;
    buffer[STUN_HEADER_LEN + 4] ^= 1; // in SOFTWARE's text
    assert_int_equal(parse(buffer, len), STUN_BAD_FINGERPRINT);
}

// The value that a FINGERPRINT at this offset should have.
static uint32_t fingerprint_at(const uint8_t *bytes, size_t offset)
{
    return (uint32_t)crc32(0, bytes, (uInt)offset) ^ 0x5354554E;
}

// Right as far as it goes, so that only its length is wrong.
static void refuses_a_fingerprint_of_any_other_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 16; len++) {
        uint8_t value[16] = {0};
        uint8_t buffer[64];
        struct stun_builder builder = begin(buffer, sizeof(buffer));

        stun_add_bytes(&builder, STUN_ATTRIBUTE_FINGERPRINT, value, len);
        store_be32(buffer + STUN_HEADER_LEN + 4, fingerprint_at(buffer, STUN_HEADER_LEN));
        assert_int_equal(parse(buffer, builder.len), len == 4 ? STUN_VALID : STUN_BAD_FINGERPRINT);
    }
}

// Right for the message as it is, so that only its place is wrong.
static void refuses_a_fingerprint_that_is_not_last(void **state)
{
    uint8_t buffer[64];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    stun_add_fingerprint(&builder);
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    store_be32(buffer + STUN_HEADER_LEN + 4, fingerprint_at(buffer, STUN_HEADER_LEN));
    assert_int_equal(parse(buffer, builder.len), STUN_BAD_FINGERPRINT);

    builder = begin(buffer, sizeof(buffer));
    stun_add_fingerprint(&builder);
    stun_add_fingerprint(&builder);
    store_be32(buffer + STUN_HEADER_LEN + 4, fingerprint_at(buffer, STUN_HEADER_LEN));
    store_be32(buffer + STUN_HEADER_LEN + 12, fingerprint_at(buffer, STUN_HEADER_LEN + 8));
    assert_int_equal(parse(buffer, builder.len), STUN_BAD_FINGERPRINT);
}

static void refuses_a_bad_fingerprint_after_message_integrity_too(void **state)
{
    uint8_t zeros[20] = {0};
    uint8_t buffer[64];
    struct stun_builder builder = begin(buffer, sizeof(buffer));

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_FINGERPRINT, zeros, 4);
    assert_int_equal(parse(buffer, builder.len), STUN_BAD_FINGERPRINT);
}

static void leaves_the_result_alone_when_it_refuses(void **state)
{
    uint8_t buffer[256];
    size_t len = build_rich(buffer, sizeof(buffer));
    struct stun_message message;
    struct stun_message before;

    (void)state;
    memset(&message, 0xA5, sizeof(message));
    before = message;
    buffer[len - 1] ^= 1;
    assert_int_equal(stun_message_parse((struct span){buffer, len}, &message),
                     STUN_BAD_FINGERPRINT);
    assert_memory_equal(&message, &before, sizeof(message));
}

static void reads_every_class_and_method_that_the_type_can_say(void **state)
{
    (void)state;
    for (unsigned method = 0; method < 0x1000; method++) {
        for (unsigned message_class = 0; message_class < 4; message_class++) {
            uint8_t buffer[STUN_HEADER_LEN];
            struct stun_builder builder;
            struct stun_message message;

            stun_builder_init(&builder, buffer, sizeof(buffer), (enum stun_class)message_class,
                              (uint16_t)method, test_transaction_id);
            message = parse_built(&builder);
            assert_int_equal(message.method, method);
            assert_int_equal(message.message_class, message_class);
        }
    }
}

// The type values that RFC 8489 section 5 and RFC 8656 section 20 print.
static void reads_the_types_that_the_rfcs_print(void **state)
{
    static const struct {
        uint16_t type, method;
        enum stun_class message_class;
    } cases[] = {
        {0x0001, STUN_METHOD_BINDING, STUN_CLASS_REQUEST},
        {0x0101, STUN_METHOD_BINDING, STUN_CLASS_SUCCESS},
        {0x0003, STUN_METHOD_ALLOCATE, STUN_CLASS_REQUEST},
        {0x0113, STUN_METHOD_ALLOCATE, STUN_CLASS_ERROR},
        {0x0103, STUN_METHOD_ALLOCATE, STUN_CLASS_SUCCESS},
        {0x0016, STUN_METHOD_SEND, STUN_CLASS_INDICATION},
        {0x0017, STUN_METHOD_DATA, STUN_CLASS_INDICATION},
        {0x0009, STUN_METHOD_CHANNEL_BIND, STUN_CLASS_REQUEST},
        {0x0109, STUN_METHOD_CHANNEL_BIND, STUN_CLASS_SUCCESS},
        {0x000A, STUN_METHOD_CONNECT, STUN_CLASS_REQUEST},
        {0x000B, STUN_METHOD_CONNECTION_BIND, STUN_CLASS_REQUEST},
        {0x001C, STUN_METHOD_CONNECTION_ATTEMPT, STUN_CLASS_INDICATION},
    };
    uint8_t buffer[STUN_HEADER_LEN];

    (void)state;
    begin(buffer, sizeof(buffer));
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stun_message message;

        store_be16(buffer, cases[i].type);
        message = parse_valid(SPAN(buffer));
        assert_int_equal(message.method, cases[i].method);
        assert_int_equal(message.message_class, cases[i].message_class);
    }
}

static void reads_the_transaction_id(void **state)
{
    uint8_t buffer[STUN_HEADER_LEN];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message = parse_built(&builder);

    (void)state;
    assert_memory_equal(message.transaction_id, test_transaction_id, STUN_TRANSACTION_ID_LEN);
}

static void takes_the_first_of_an_attribute_that_repeats(void **state)
{
    uint8_t buffer[64];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;
    uint32_t lifetime;

    (void)state;
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 0);
    message = parse_built(&builder);
    assert_int_equal(stun_message_u32(&message, STUN_ATTRIBUTE_LIFETIME, &lifetime), STUN_VALUE_OK);
    assert_int_equal(lifetime, 600);
}

static void counts_every_peer_address(void **state)
{
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct transport_address peer;

    (void)state;
    assert_int_equal(transport_address_parse("192.0.2.1:1", &peer), 0);
    for (unsigned i = 0; i < 5; i++)
        stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    assert_int_equal(parse_built(&builder).peer_address_count, 5);
}

static void ignores_attributes_after_message_integrity(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct transport_address peer;
    struct stun_message message;

    (void)state;
    assert_int_equal(transport_address_parse("192.0.2.1:1", &peer), 0);
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    stun_add_u32(&builder, UNKNOWN_TYPE, 1);
    stun_add_fingerprint(&builder);
    message = parse_built(&builder);
    assert_true(stun_message_has(&message, STUN_ATTRIBUTE_DONT_FRAGMENT));
    assert_true(stun_message_has(&message, STUN_ATTRIBUTE_MESSAGE_INTEGRITY));
    assert_true(stun_message_has(&message, STUN_ATTRIBUTE_FINGERPRINT));
    assert_false(stun_message_has(&message, STUN_ATTRIBUTE_LIFETIME));
    assert_int_equal(message.peer_address_count, 0);
    assert_int_equal(message.unknown_count, 0);
}

static void reads_attributes_before_message_integrity_sha256_and_none_after(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_fingerprint(&builder);
    message = parse_built(&builder);
    assert_true(stun_message_has(&message, STUN_ATTRIBUTE_DONT_FRAGMENT));
    assert_false(stun_message_has(&message, STUN_ATTRIBUTE_LIFETIME));
}

static void takes_message_integrity_sha256_after_message_integrity(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600); // ignored, and no obstacle
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    message = parse_built(&builder);
    assert_int_equal(message.integrity_offset, STUN_HEADER_LEN);
    assert_int_equal(message.integrity_sha256_offset, STUN_HEADER_LEN + 24 + 8);
    assert_true(stun_message_has(&message, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256));
    assert_false(stun_message_has(&message, STUN_ATTRIBUTE_LIFETIME));
}

static void ignores_message_integrity_after_message_integrity_sha256(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_fingerprint(&builder);
    message = parse_built(&builder);
    assert_int_equal(message.integrity_offset, 0);
    assert_int_equal(message.integrity_sha256_offset, STUN_HEADER_LEN);
    assert_true(message.has_fingerprint);
    assert_false(stun_message_has(&message, STUN_ATTRIBUTE_MESSAGE_INTEGRITY));
    assert_false(stun_message_has(&message, STUN_ATTRIBUTE_LIFETIME));
}

static void takes_the_first_of_either_integrity_that_repeats(void **state)
{
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    message = parse_built(&builder);
    assert_int_equal(message.integrity_offset, STUN_HEADER_LEN);
    assert_int_equal(message.integrity_sha256_offset, STUN_HEADER_LEN + 2 * 24);
}

static void walks_what_counts_and_only_that(void **state)
{
    static const uint16_t expected[] = {
        STUN_ATTRIBUTE_SOFTWARE, STUN_ATTRIBUTE_EVEN_PORT, STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
        STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, STUN_ATTRIBUTE_FINGERPRINT};
    uint8_t zeros[32] = {0};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;
    struct stun_attribute_view attribute;
    uint32_t cursor = 0;

    (void)state;
    stun_add_string(&builder, STUN_ATTRIBUTE_SOFTWARE, "x");
    stun_add_even_port(&builder, false);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, 20);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 1);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, 32);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 2);
    stun_add_fingerprint(&builder);
    message = parse_built(&builder);
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(stun_message_next(&message, &cursor, &attribute));
        assert_int_equal(attribute.type, expected[i]);
    }
    assert_false(stun_message_next(&message, &cursor, &attribute));
    assert_false(stun_message_next(&message, &cursor, &attribute));
}

static void walks_an_empty_message_to_its_end_at_once(void **state)
{
    uint8_t buffer[STUN_HEADER_LEN];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message = parse_built(&builder);
    struct stun_attribute_view attribute;
    uint32_t cursor = 0;

    (void)state;
    assert_false(stun_message_next(&message, &cursor, &attribute));
}

static void lists_unknown_comprehension_required_attributes_once_and_in_order(void **state)
{
    static const uint16_t expected[] = {0x7FFF, UNKNOWN_TYPE, 0x0000, 0x0003};
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        stun_add_flag(&builder, expected[i]);
        stun_add_flag(&builder, expected[0]);
        stun_add_flag(&builder, 0x8FFF); // optional
        stun_add_flag(&builder, STUN_ATTRIBUTE_DONT_FRAGMENT);
    }
    message = parse_built(&builder);
    assert_int_equal(message.unknown_count, 4);
    assert_memory_equal(message.unknown, expected, sizeof(expected));
}

static void lists_as_many_unknown_attributes_as_it_has_room_for(void **state)
{
    uint8_t buffer[256];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message;

    (void)state;
    for (unsigned i = 0; i < STUN_MESSAGE_UNKNOWN_MAX + 5; i++)
        stun_add_flag(&builder, (uint16_t)(0x4000 + i));
    message = parse_built(&builder);
    assert_int_equal(message.unknown_count, STUN_MESSAGE_UNKNOWN_MAX);
    for (unsigned i = 0; i < STUN_MESSAGE_UNKNOWN_MAX; i++)
        assert_int_equal(message.unknown[i], 0x4000 + i);
}

static void knows_exactly_the_required_attributes_of_rfc_8489_and_rfc_8656(void **state)
{
    static const uint16_t known[] = {0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0012,
                                     0x0013, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018, 0x0019, 0x001A,
                                     0x001C, 0x001D, 0x001E, 0x0020, 0x0022, 0x002A};
    unsigned next = 0;

    (void)state;
    for (unsigned type = 0; type < 0x8000; type++) {
        uint8_t buffer[64];
        struct stun_builder builder = begin(buffer, sizeof(buffer));
        bool expected = next < sizeof(known) / sizeof(known[0]) && known[next] == type;

        stun_add_flag(&builder, (uint16_t)type);
        assert_int_equal(parse_built(&builder).unknown_count, expected ? 0 : 1);
        next += expected;
    }
    assert_int_equal(next, sizeof(known) / sizeof(known[0]));
}

static void decodes_the_mapped_addresses_of_rfc_5769(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_ipv4_response));
    struct transport_address expected;
    struct transport_address address;

    (void)state;
    assert_int_equal(transport_address_parse("192.0.2.1:32853", &expected), 0);
    assert_int_equal(
        stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &address),
        STUN_VALUE_OK);
    assert_true(transport_address_equal(&address, &expected));

    message = parse_valid(SPAN(vector_ipv6_response));
    assert_int_equal(
        transport_address_parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853", &expected), 0);
    assert_int_equal(
        stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &address),
        STUN_VALUE_OK);
    assert_true(transport_address_equal(&address, &expected));
}

static void reads_strings_whose_padding_is_not_zero(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_short_term_request));
    struct span text;

    (void)state;
    assert_int_equal(stun_message_string(&message, STUN_ATTRIBUTE_USERNAME, &text), STUN_VALUE_OK);
    assert_span_equal(text, "evtj:h6vY", 9);
    assert_int_equal(stun_message_string(&message, STUN_ATTRIBUTE_SOFTWARE, &text), STUN_VALUE_OK);
    assert_span_equal(text, "STUN test client", 16);
    assert_int_equal(message.unknown_count, 1);
    assert_int_equal(message.unknown[0], UNKNOWN_TYPE);
}

static struct stun_message parse_one(uint8_t *buffer, size_t capacity, uint16_t type,
                                     const void *value, size_t len)
{
    struct stun_builder builder = begin(buffer, capacity);

    stun_add_bytes(&builder, type, value, len);
    return parse_built(&builder);
}

// Every typed read through one shape, so that all lengths can be tried on all of them. Outputs are
// dropped.
static enum stun_value read_u32(const struct stun_message *message, uint16_t type)
{
    uint32_t value;

    return stun_message_u32(message, type, &value);
}

static enum stun_value read_xor_address(const struct stun_message *message, uint16_t type)
{
    struct transport_address address;

    return stun_message_xor_address(message, type, &address);
}

static enum stun_value read_address(const struct stun_message *message, uint16_t type)
{
    struct transport_address address;

    return stun_message_address(message, type, &address);
}

static enum stun_value read_channel_number(const struct stun_message *message, uint16_t type)
{
    uint16_t channel;

    (void)type;
    return stun_message_channel_number(message, &channel);
}

static enum stun_value read_even_port(const struct stun_message *message, uint16_t type)
{
    bool reserve_next;

    (void)type;
    return stun_message_even_port(message, &reserve_next);
}

static enum stun_value read_requested_transport(const struct stun_message *message, uint16_t type)
{
    uint8_t protocol;

    (void)type;
    return stun_message_requested_transport(message, &protocol);
}

static enum stun_value read_address_family(const struct stun_message *message, uint16_t type)
{
    enum ip_family family;

    return stun_message_address_family(message, type, &family);
}

static enum stun_value read_reservation_token(const struct stun_message *message, uint16_t type)
{
    uint8_t token[8];

    (void)type;
    return stun_message_reservation_token(message, token);
}

static enum stun_value read_error_code(const struct stun_message *message, uint16_t type)
{
    unsigned error;
    struct span reason;

    (void)type;
    return stun_message_error_code(message, &error, &reason);
}

static enum stun_value read_address_error_code(const struct stun_message *message, uint16_t type)
{
    enum ip_family family;
    unsigned error;
    struct span reason;

    (void)type;
    return stun_message_address_error_code(message, &family, &error, &reason);
}

static enum stun_value read_icmp(const struct stun_message *message, uint16_t type)
{
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint32_t data;

    (void)type;
    return stun_message_icmp(message, &icmp_type, &icmp_code, &data);
}

static enum stun_value read_string(const struct stun_message *message, uint16_t type)
{
    struct span text;

    return stun_message_string(message, type, &text);
}

static enum stun_value read_userhash(const struct stun_message *message, uint16_t type)
{
    const uint8_t *hash;

    (void)type;
    return stun_message_userhash(message, &hash);
}

static enum stun_value read_unknown_attributes(const struct stun_message *message, uint16_t type)
{
    uint16_t types[4];
    unsigned count;

    (void)type;
    return stun_message_unknown_attributes(message, types, 4, &count);
}

static enum stun_value read_password_algorithm(const struct stun_message *message, uint16_t type)
{
    uint16_t algorithm;

    (void)type;
    return stun_message_password_algorithm(message, &algorithm);
}

static enum stun_value read_password_algorithms(const struct stun_message *message, uint16_t type)
{
    uint16_t algorithms[4];
    unsigned count;

    (void)type;
    return stun_message_password_algorithms(message, algorithms, 4, &count);
}

// A value that is right at the lengths that `allowed` names, given as its bytes and whatever zeros
// follow.
struct typed_read {
    const char *name;
    uint16_t type;
    enum stun_value (*read)(const struct stun_message *message, uint16_t type);
    uint8_t value[8];
    struct {
        size_t min, max, step;
    } allowed;
};

#define VALUE_MAX_LEN 800

static const struct typed_read typed_reads[] = {
    {"LIFETIME", STUN_ATTRIBUTE_LIFETIME, read_u32, {0}, {4, 4, 1}},
    {"DONT-FRAGMENT", STUN_ATTRIBUTE_DONT_FRAGMENT, stun_message_flag, {0}, {0, 0, 1}},
    {"XOR-MAPPED-ADDRESS", STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, read_xor_address, {0, 1}, {8, 8, 1}},
    {"XOR-PEER-ADDRESS", STUN_ATTRIBUTE_XOR_PEER_ADDRESS, read_xor_address, {0, 2}, {20, 20, 1}},
    {"XOR-RELAYED-ADDRESS",
     STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS,
     read_xor_address,
     {0, 2},
     {20, 20, 1}},
    {"MAPPED-ADDRESS", STUN_ATTRIBUTE_MAPPED_ADDRESS, read_address, {0, 1}, {8, 8, 1}},
    {"ALTERNATE-SERVER", STUN_ATTRIBUTE_ALTERNATE_SERVER, read_address, {0, 2}, {20, 20, 1}},
    {"CHANNEL-NUMBER", STUN_ATTRIBUTE_CHANNEL_NUMBER, read_channel_number, {0x40}, {4, 4, 1}},
    {"EVEN-PORT", STUN_ATTRIBUTE_EVEN_PORT, read_even_port, {0x80}, {1, 1, 1}},
    {"REQUESTED-TRANSPORT",
     STUN_ATTRIBUTE_REQUESTED_TRANSPORT,
     read_requested_transport,
     {17},
     {4, 4, 1}},
    {"REQUESTED-ADDRESS-FAMILY",
     STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY,
     read_address_family,
     {1},
     {4, 4, 1}},
    {"ADDITIONAL-ADDRESS-FAMILY",
     STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY,
     read_address_family,
     {2},
     {4, 4, 1}},
    {"RESERVATION-TOKEN", STUN_ATTRIBUTE_RESERVATION_TOKEN, read_reservation_token, {0}, {8, 8, 1}},
    {"ERROR-CODE", STUN_ATTRIBUTE_ERROR_CODE, read_error_code, {0, 0, 4, 20}, {4, 4 + 763, 1}},
    {"ADDRESS-ERROR-CODE",
     STUN_ATTRIBUTE_ADDRESS_ERROR_CODE,
     read_address_error_code,
     {2, 0, 4, 40},
     {4, 4 + 763, 1}},
    {"ICMP", STUN_ATTRIBUTE_ICMP, read_icmp, {0}, {8, 8, 1}},
    {"USERNAME", STUN_ATTRIBUTE_USERNAME, read_string, {'u'}, {1, 763, 1}},
    {"REALM", STUN_ATTRIBUTE_REALM, read_string, {'r'}, {1, 763, 1}},
    {"NONCE", STUN_ATTRIBUTE_NONCE, read_string, {'n'}, {0, 763, 1}},
    {"SOFTWARE", STUN_ATTRIBUTE_SOFTWARE, read_string, {'s'}, {0, 763, 1}},
    {"ALTERNATE-DOMAIN", STUN_ATTRIBUTE_ALTERNATE_DOMAIN, read_string, {'d'}, {1, 255, 1}},
    {"USERHASH", STUN_ATTRIBUTE_USERHASH, read_userhash, {0}, {32, 32, 1}},
    {"UNKNOWN-ATTRIBUTES",
     STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
     read_unknown_attributes,
     {0},
     {0, VALUE_MAX_LEN, 2}},
    {"PASSWORD-ALGORITHM",
     STUN_ATTRIBUTE_PASSWORD_ALGORITHM,
     read_password_algorithm,
     {0, 2},
     {4, 4, 1}},
    {"PASSWORD-ALGORITHMS",
     STUN_ATTRIBUTE_PASSWORD_ALGORITHMS,
     read_password_algorithms,
     {0, 2},
     {0, VALUE_MAX_LEN, 4}},
};

#define TYPED_READ_COUNT (sizeof(typed_reads) / sizeof(typed_reads[0]))

static bool is_allowed_len(const struct typed_read *read, size_t len)
{
    return len >= read->allowed.min && len <= read->allowed.max &&
           (len - read->allowed.min) % read->allowed.step == 0;
}

static void reads_every_typed_value_at_its_lengths_and_no_other(void **state)
{
    static uint8_t buffer[VALUE_MAX_LEN + 64];

    (void)state;
    for (unsigned i = 0; i < TYPED_READ_COUNT; i++) {
        const struct typed_read *read = &typed_reads[i];

        for (size_t len = 0; len <= VALUE_MAX_LEN; len++) {
            uint8_t value[VALUE_MAX_LEN] = {0};
            struct stun_message message;
            enum stun_value expected =
                is_allowed_len(read, len) ? STUN_VALUE_OK : STUN_VALUE_MALFORMED;

            memcpy(value, read->value, sizeof(read->value));
            message = parse_one(buffer, sizeof(buffer), read->type, value, len);
            if (read->read(&message, read->type) != expected)
                fail_msg("%s of %zu bytes", read->name, len);
        }
    }
}

static void finds_every_typed_value_absent_from_an_empty_message(void **state)
{
    uint8_t buffer[STUN_HEADER_LEN];
    struct stun_builder builder = begin(buffer, sizeof(buffer));
    struct stun_message message = parse_built(&builder);

    (void)state;
    for (unsigned i = 0; i < TYPED_READ_COUNT; i++)
        assert_int_equal(typed_reads[i].read(&message, typed_reads[i].type), STUN_VALUE_ABSENT);
}

static void refuses_an_address_of_any_other_family(void **state)
{
    uint8_t buffer[64];

    (void)state;
    for (unsigned family = 0; family < 256; family++) {
        uint8_t value[20] = {0, (uint8_t)family};
        struct stun_message message;
        struct transport_address address;

        message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_XOR_PEER_ADDRESS, value, 8);
        assert_int_equal(
            stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &address),
            family == STUN_FAMILY_IPV4 ? STUN_VALUE_OK : STUN_VALUE_MALFORMED);
        message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_XOR_PEER_ADDRESS, value, 20);
        assert_int_equal(
            stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &address),
            family == STUN_FAMILY_IPV6 ? STUN_VALUE_OK : STUN_VALUE_MALFORMED);
    }
}

static void ignores_every_reserved_bit(void **state)
{
    uint8_t buffer[64];
    struct stun_message message;
    struct transport_address address;
    enum ip_family family;
    uint16_t channel;
    uint8_t protocol;
    uint8_t code;
    uint8_t type;
    uint32_t data;
    bool reserve_next;
    unsigned error;
    struct span reason;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_MAPPED_ADDRESS,
                        "\xff\x01\x12\x34\x01\x02\x03\x04", 8);
    assert_int_equal(stun_message_address(&message, STUN_ATTRIBUTE_MAPPED_ADDRESS, &address),
                     STUN_VALUE_OK);
    assert_int_equal(address.port, 0x1234);
    message =
        parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_CHANNEL_NUMBER, "\x40\x01\xff\xff", 4);
    assert_int_equal(stun_message_channel_number(&message, &channel), STUN_VALUE_OK);
    assert_int_equal(channel, 0x4001);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_EVEN_PORT, "\x7f", 1);
    assert_int_equal(stun_message_even_port(&message, &reserve_next), STUN_VALUE_OK);
    assert_false(reserve_next);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_EVEN_PORT, "\xff", 1);
    assert_int_equal(stun_message_even_port(&message, &reserve_next), STUN_VALUE_OK);
    assert_true(reserve_next);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_REQUESTED_TRANSPORT,
                        "\x11\xff\xff\xff", 4);
    assert_int_equal(stun_message_requested_transport(&message, &protocol), STUN_VALUE_OK);
    assert_int_equal(protocol, 17);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY,
                        "\x02\xff\xff\xff", 4);
    assert_int_equal(
        stun_message_address_family(&message, STUN_ATTRIBUTE_REQUESTED_ADDRESS_FAMILY, &family),
        STUN_VALUE_OK);
    assert_int_equal(family, IP_FAMILY_V6);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ERROR_CODE, "\xff\xff\xfc\x14", 4);
    assert_int_equal(stun_message_error_code(&message, &error, &reason), STUN_VALUE_OK);
    assert_int_equal(error, 420);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ICMP,
                        "\xff\xff\x03\x04\x00\x00\x05\xdc", 8);
    assert_int_equal(stun_message_icmp(&message, &type, &code, &data), STUN_VALUE_OK);
    assert_int_equal(type, 3);
    assert_int_equal(code, 4);
    assert_int_equal(data, 1500);
}

static void refuses_a_channel_number_outside_the_range(void **state)
{
    uint8_t buffer[64];

    (void)state;
    for (unsigned number = 0; number <= UINT16_MAX; number++) {
        uint8_t value[4] = {(uint8_t)(number >> 8), (uint8_t)number};
        struct stun_message message =
            parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_CHANNEL_NUMBER, value, 4);
        uint16_t channel = 7;

        if (number >= 0x4000 && number <= 0x7FFF) {
            assert_int_equal(stun_message_channel_number(&message, &channel), STUN_VALUE_OK);
            assert_int_equal(channel, number);
        } else {
            assert_int_equal(stun_message_channel_number(&message, &channel), STUN_VALUE_MALFORMED);
            assert_int_equal(channel, 7);
        }
    }
}

static void reads_an_unknown_family_octet_as_none(void **state)
{
    uint8_t buffer[64];

    (void)state;
    for (unsigned octet = 0; octet < 256; octet++) {
        uint8_t value[4] = {(uint8_t)octet};
        struct stun_message message =
            parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, value, 4);
        enum ip_family family = (enum ip_family)99;

        assert_int_equal(stun_message_address_family(
                             &message, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY, &family),
                         STUN_VALUE_OK);
        assert_int_equal(family, octet == 1   ? IP_FAMILY_V4
                                 : octet == 2 ? IP_FAMILY_V6
                                              : IP_FAMILY_NONE);
    }
}

static void refuses_an_error_code_out_of_range(void **state)
{
    uint8_t buffer[64];

    (void)state;
    for (unsigned hundreds = 0; hundreds < 8; hundreds++) {
        for (unsigned number = 0; number < 256; number++) {
            uint8_t value[4] = {1, 0, (uint8_t)hundreds, (uint8_t)number};
            bool valid = hundreds >= 3 && hundreds <= 6 && number <= 99;
            unsigned error = 7;
            struct span reason;
            enum ip_family family;
            struct stun_message message =
                parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ERROR_CODE, value, 4);

            assert_int_equal(stun_message_error_code(&message, &error, &reason),
                             valid ? STUN_VALUE_OK : STUN_VALUE_MALFORMED);
            assert_int_equal(error, valid ? hundreds * 100 + number : 7);
            message =
                parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, value, 4);
            assert_int_equal(stun_message_address_error_code(&message, &family, &error, &reason),
                             valid ? STUN_VALUE_OK : STUN_VALUE_MALFORMED);
        }
    }
}

static void refuses_an_address_error_code_of_no_family(void **state)
{
    uint8_t buffer[64];
    struct stun_message message =
        parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, "\0\0\x04\x28", 4);
    enum ip_family family;
    unsigned error = 7;
    struct span reason;

    (void)state;
    assert_int_equal(stun_message_address_error_code(&message, &family, &error, &reason),
                     STUN_VALUE_MALFORMED);
    assert_int_equal(error, 7);
}

static void refuses_parameters_that_md5_and_sha256_do_not_have(void **state)
{
    uint8_t buffer[64];
    uint16_t algorithm = 7;
    struct stun_message message;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHM,
                        "\0\x02\0\x01x\0\0\0", 8);
    assert_int_equal(stun_message_password_algorithm(&message, &algorithm), STUN_VALUE_MALFORMED);
    message =
        parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHM, "\0\x01\0\x04wxyz", 8);
    assert_int_equal(stun_message_password_algorithm(&message, &algorithm), STUN_VALUE_MALFORMED);
    assert_int_equal(algorithm, 7);
}

static void reads_an_algorithm_of_the_future_with_its_parameters(void **state)
{
    uint8_t buffer[64];
    uint16_t algorithm;
    struct stun_message message;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHM,
                        "\0\x09\0\x01x\0\0\0", 8);
    assert_int_equal(stun_message_password_algorithm(&message, &algorithm), STUN_VALUE_OK);
    assert_int_equal(algorithm, 9);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHM,
                        "\0\x09\0\x05x\0\0\0", 8);
    assert_int_equal(stun_message_password_algorithm(&message, &algorithm), STUN_VALUE_MALFORMED);
}

static void reads_a_list_of_algorithms_past_their_parameters(void **state)
{
    uint8_t buffer[64];
    uint16_t algorithms[3];
    unsigned count;
    struct stun_message message;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHMS,
                        "\0\x02\0\0\0\x09\0\x03xyz\0\0\x01\0\0", 16);
    assert_int_equal(stun_message_password_algorithms(&message, algorithms, 3, &count),
                     STUN_VALUE_OK);
    assert_int_equal(count, 3);
    assert_int_equal(algorithms[0], 2);
    assert_int_equal(algorithms[1], 9);
    assert_int_equal(algorithms[2], 1);
}

static void refuses_a_list_whose_parameters_run_past_its_end(void **state)
{
    uint8_t buffer[64];
    uint16_t algorithms[3] = {7};
    unsigned count = 7;
    struct stun_message message;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHMS,
                        "\0\x02\0\0\0\x09\0\x05xyz\0", 12);
    assert_int_equal(stun_message_password_algorithms(&message, algorithms, 3, &count),
                     STUN_VALUE_MALFORMED);
    assert_int_equal(algorithms[0], 7);
    assert_int_equal(count, 7);
}

static void tells_how_many_entries_a_list_has_when_they_do_not_fit(void **state)
{
    uint8_t buffer[64];
    uint16_t entries[2] = {7, 7};
    unsigned count;
    struct stun_message message;

    (void)state;
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_PASSWORD_ALGORITHMS,
                        "\0\x02\0\0\0\x01\0\0", 8);
    assert_int_equal(stun_message_password_algorithms(&message, entries, 1, &count), STUN_VALUE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(entries[1], 7);
    message = parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
                        "\0\x24\0\x25\0\x26", 6);
    assert_int_equal(stun_message_unknown_attributes(&message, entries, 1, &count), STUN_VALUE_OK);
    assert_int_equal(count, 3);
    assert_int_equal(entries[0], 0x24);
    assert_int_equal(entries[1], 7);
}

static void leaves_outputs_alone_when_a_value_is_absent_or_malformed(void **state)
{
    uint8_t buffer[64];
    struct stun_message message =
        parse_one(buffer, sizeof(buffer), STUN_ATTRIBUTE_LIFETIME, "\0\0\0", 3);
    uint32_t value = 7;

    (void)state;
    assert_int_equal(stun_message_u32(&message, STUN_ATTRIBUTE_LIFETIME, &value),
                     STUN_VALUE_MALFORMED);
    assert_int_equal(value, 7);
    assert_int_equal(stun_message_u32(&message, STUN_ATTRIBUTE_DATA, &value), STUN_VALUE_ABSENT);
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_less_than_a_header),
        cmocka_unit_test(refuses_a_type_whose_first_two_bits_are_not_zero),
        cmocka_unit_test(refuses_any_other_cookie),
        cmocka_unit_test(refuses_a_length_that_is_not_what_the_datagram_holds),
        cmocka_unit_test(refuses_a_length_that_is_no_multiple_of_four),
        cmocka_unit_test(refuses_bytes_after_the_message),
        cmocka_unit_test(takes_the_longest_message_and_refuses_a_longer_one),
        cmocka_unit_test(refuses_a_rich_message_cut_off_at_any_byte),
        cmocka_unit_test(refuses_an_attribute_cut_off_at_any_word),
        cmocka_unit_test(refuses_an_attribute_whose_length_runs_past_the_end),
        cmocka_unit_test(refuses_a_fingerprint_with_any_bit_changed),
        cmocka_unit_test(refuses_a_message_changed_under_its_fingerprint),
        cmocka_unit_test(refuses_a_fingerprint_of_any_other_length),
        cmocka_unit_test(refuses_a_fingerprint_that_is_not_last),
        cmocka_unit_test(refuses_a_bad_fingerprint_after_message_integrity_too),
        cmocka_unit_test(leaves_the_result_alone_when_it_refuses),
        cmocka_unit_test(reads_every_class_and_method_that_the_type_can_say),
        cmocka_unit_test(reads_the_types_that_the_rfcs_print),
        cmocka_unit_test(reads_the_transaction_id),
        cmocka_unit_test(takes_the_first_of_an_attribute_that_repeats),
        cmocka_unit_test(counts_every_peer_address),
        cmocka_unit_test(ignores_attributes_after_message_integrity),
        cmocka_unit_test(reads_attributes_before_message_integrity_sha256_and_none_after),
        cmocka_unit_test(takes_message_integrity_sha256_after_message_integrity),
        cmocka_unit_test(ignores_message_integrity_after_message_integrity_sha256),
        cmocka_unit_test(takes_the_first_of_either_integrity_that_repeats),
        cmocka_unit_test(walks_what_counts_and_only_that),
        cmocka_unit_test(walks_an_empty_message_to_its_end_at_once),
        cmocka_unit_test(lists_unknown_comprehension_required_attributes_once_and_in_order),
        cmocka_unit_test(lists_as_many_unknown_attributes_as_it_has_room_for),
        cmocka_unit_test(knows_exactly_the_required_attributes_of_rfc_8489_and_rfc_8656),
        cmocka_unit_test(decodes_the_mapped_addresses_of_rfc_5769),
        cmocka_unit_test(reads_strings_whose_padding_is_not_zero),
        cmocka_unit_test(reads_every_typed_value_at_its_lengths_and_no_other),
        cmocka_unit_test(finds_every_typed_value_absent_from_an_empty_message),
        cmocka_unit_test(refuses_an_address_of_any_other_family),
        cmocka_unit_test(ignores_every_reserved_bit),
        cmocka_unit_test(refuses_a_channel_number_outside_the_range),
        cmocka_unit_test(reads_an_unknown_family_octet_as_none),
        cmocka_unit_test(refuses_an_error_code_out_of_range),
        cmocka_unit_test(refuses_an_address_error_code_of_no_family),
        cmocka_unit_test(refuses_parameters_that_md5_and_sha256_do_not_have),
        cmocka_unit_test(reads_an_algorithm_of_the_future_with_its_parameters),
        cmocka_unit_test(reads_a_list_of_algorithms_past_their_parameters),
        cmocka_unit_test(refuses_a_list_whose_parameters_run_past_its_end),
        cmocka_unit_test(tells_how_many_entries_a_list_has_when_they_do_not_fit),
        cmocka_unit_test(leaves_outputs_alone_when_a_value_is_absent_or_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
