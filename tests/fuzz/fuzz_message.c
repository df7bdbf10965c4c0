// SPDX-License-Identifier: BSD-3-Clause
// The message parser against a slow reference, every typed read on whatever it finds, and a rebuild
// that must read the same (RFC 8489 sections 5, 9, 14).
#include "proto/message.h"

#include "fuzz.h"
#include "proto/builder.h"
#include "proto/integrity.h"

#define ATTRIBUTES_MAX (STUN_MESSAGE_MAX_LEN / 4)

// The attributes that count, found as the RFC tells it, with no thought for speed.
struct reference {
    unsigned count;
    struct {
        uint16_t type;
        size_t offset; // of the value
        size_t len;
    } attributes[ATTRIBUTES_MAX];
};

static size_t padded_len(size_t len)
{
    return (len + 3) / 4 * 4;
}

// RFC 8489 section 9: what has come so far decides whether this type still counts.
static bool counts(const struct reference *reference, uint16_t type)
{
    bool integrity = false;
    bool integrity_sha256 = false;

    for (unsigned i = 0; i < reference->count; i++) {
        integrity |= reference->attributes[i].type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY;
        integrity_sha256 |=
            reference->attributes[i].type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256;
    }
    if (type == STUN_ATTRIBUTE_FINGERPRINT)
        return true;
    if (integrity_sha256)
        return false;
    return !integrity || type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256;
}

// False: an attribute runs past the end.
static bool read_reference(struct span bytes, struct reference *reference)
{
    size_t offset = STUN_HEADER_LEN;

    reference->count = 0;
    while (offset < bytes.len) {
        uint16_t type;
        size_t len;

        if (bytes.len - offset < 4)
            return false;
        type = (uint16_t)(bytes.data[offset] << 8 | bytes.data[offset + 1]);
        len = (size_t)bytes.data[offset + 2] << 8 | bytes.data[offset + 3];
        if (offset + 4 + len > bytes.len)
            return false;
        if (counts(reference, type)) {
            reference->attributes[reference->count].type = type;
            reference->attributes[reference->count].offset = offset + 4;
            reference->attributes[reference->count].len = len;
            reference->count++;
        }
        offset += 4 + padded_len(len);
    }
    return true;
}

// The first of a type is the one that is found.
static void compare_find(const struct stun_message *message, const struct reference *reference)
{
    for (unsigned i = 0; i < reference->count && i < 64; i++) {
        uint16_t type = reference->attributes[i].type;
        struct span found;
        unsigned first = 0;

        while (reference->attributes[first].type != type)
            first++;
        REQUIRE(stun_message_find(message, type, &found));
        REQUIRE(found.data == message->bytes.data + reference->attributes[first].offset);
        REQUIRE(found.len == reference->attributes[first].len);
    }
}

static void compare_with_reference(const struct stun_message *message)
{
    static struct reference reference;
    struct stun_attribute_view attribute;
    unsigned peer_addresses = 0;
    uint32_t cursor = 0;

    REQUIRE(read_reference(message->bytes, &reference));
    for (unsigned i = 0; i < reference.count; i++) {
        REQUIRE(stun_message_next(message, &cursor, &attribute));
        REQUIRE(attribute.type == reference.attributes[i].type);
        REQUIRE(attribute.value.data == message->bytes.data + reference.attributes[i].offset);
        REQUIRE(attribute.value.len == reference.attributes[i].len);
        peer_addresses += attribute.type == STUN_ATTRIBUTE_XOR_PEER_ADDRESS;
    }
    REQUIRE(!stun_message_next(message, &cursor, &attribute));
    REQUIRE(message->peer_address_count == peer_addresses);
    compare_find(message, &reference);
}

static void require_within(const struct stun_message *message, struct span value)
{
    REQUIRE(value.data >= message->bytes.data + STUN_HEADER_LEN);
    REQUIRE(value.data + value.len <= message->bytes.data + message->bytes.len);
}

static void read_addresses_and_strings(const struct stun_message *message, uint16_t type)
{
    struct transport_address address = {.port = 0};
    struct span text;

    if (stun_message_xor_address(message, type, &address) == STUN_VALUE_OK)
        REQUIRE(address.ip.family == IP_FAMILY_V4 || address.ip.family == IP_FAMILY_V6);
    if (stun_message_address(message, type, &address) == STUN_VALUE_OK)
        REQUIRE(address.ip.family == IP_FAMILY_V4 || address.ip.family == IP_FAMILY_V6);
    if (stun_message_string(message, type, &text) == STUN_VALUE_OK) {
        require_within(message, text);
        REQUIRE(text.len <= STUN_STRING_MAX_LEN);
    }
}

static void read_fixed_values(const struct stun_message *message, uint16_t type)
{
    enum ip_family family;
    const uint8_t *hash;
    uint8_t token[8];
    uint16_t channel;
    uint8_t protocol;
    uint32_t value;
    uint8_t icmp_type;
    uint8_t icmp_code;
    bool reserve_next;

    stun_message_flag(message, type);
    stun_message_u32(message, type, &value);
    stun_message_address_family(message, type, &family);
    stun_message_even_port(message, &reserve_next);
    stun_message_requested_transport(message, &protocol);
    stun_message_reservation_token(message, token);
    stun_message_icmp(message, &icmp_type, &icmp_code, &value);
    if (stun_message_channel_number(message, &channel) == STUN_VALUE_OK)
        REQUIRE(channel >= 0x4000 && channel <= 0x7FFF);
    if (stun_message_userhash(message, &hash) == STUN_VALUE_OK)
        require_within(message, (struct span){hash, USERHASH_LEN});
}

static void read_errors_and_lists(const struct stun_message *message)
{
    struct span reason;
    enum ip_family family;
    uint16_t entries[3];
    uint16_t algorithm;
    unsigned error;
    unsigned count;

    if (stun_message_error_code(message, &error, &reason) == STUN_VALUE_OK) {
        REQUIRE(error >= 300 && error <= 699);
        require_within(message, reason);
    }
    if (stun_message_address_error_code(message, &family, &error, &reason) == STUN_VALUE_OK) {
        REQUIRE(family == IP_FAMILY_V4 || family == IP_FAMILY_V6);
        require_within(message, reason);
    }
    stun_message_unknown_attributes(message, entries, 3, &count);
    stun_message_password_algorithm(message, &algorithm);
    stun_message_password_algorithms(message, entries, 3, &count);
}

static void read_everything(const struct stun_message *message)
{
    static const struct integrity_key key = {.len = 16};
    struct stun_attribute_view attribute;
    uint32_t cursor = 0;

    while (stun_message_next(message, &cursor, &attribute) && cursor < 4096) {
        read_addresses_and_strings(message, attribute.type);
        read_fixed_values(message, attribute.type);
    }
    read_errors_and_lists(message);
    integrity_check_sha1(message, &key);
    integrity_check_sha256(message, &key);
}

static bool is_unknown(uint16_t type)
{
    uint8_t buffer[STUN_HEADER_LEN + 4];
    struct stun_builder builder;
    struct stun_message message;

    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, 1,
                      (const uint8_t[STUN_TRANSACTION_ID_LEN]){0});
    stun_add_flag(&builder, type);
    REQUIRE(type == STUN_ATTRIBUTE_FINGERPRINT ||
            stun_message_parse((struct span){buffer, builder.len}, &message) == STUN_VALID);
    return type != STUN_ATTRIBUTE_FINGERPRINT && message.unknown_count == 1;
}

static bool is_listed(const uint16_t *types, unsigned count, uint16_t type)
{
    for (unsigned i = 0; i < count; i++) {
        if (types[i] == type)
            return true;
    }
    return false;
}

static void check_unknown(const struct stun_message *message)
{
    uint16_t expected[STUN_MESSAGE_UNKNOWN_MAX];
    struct stun_attribute_view attribute;
    uint32_t cursor = 0;
    unsigned count = 0;

    while (count < STUN_MESSAGE_UNKNOWN_MAX && stun_message_next(message, &cursor, &attribute)) {
        if (!is_listed(expected, count, attribute.type) && is_unknown(attribute.type))
            expected[count++] = attribute.type;
    }
    REQUIRE(message->unknown_count == count);
    REQUIRE(memcmp(message->unknown, expected, count * sizeof(expected[0])) == 0);
}

// What counts, written anew, reads as the same message.
static void check_rebuild(const struct stun_message *message)
{
    static uint8_t buffer[STUN_MESSAGE_MAX_LEN];
    struct stun_attribute_view original;
    struct stun_attribute_view copy;
    struct stun_message rebuilt;
    struct stun_builder builder;
    uint32_t original_cursor = 0;
    uint32_t copy_cursor = 0;

    stun_builder_init(&builder, buffer, sizeof(buffer), (enum stun_class)message->message_class,
                      message->method, message->transaction_id);
    while (stun_message_next(message, &original_cursor, &original)) {
        if (original.type == STUN_ATTRIBUTE_FINGERPRINT)
            stun_add_fingerprint(&builder);
        else
            stun_add_bytes(&builder, original.type, original.value.data, original.value.len);
    }
    REQUIRE(stun_builder_finish(&builder) != 0);
    REQUIRE(builder.len <= message->bytes.len);
    REQUIRE(stun_message_parse((struct span){buffer, builder.len}, &rebuilt) == STUN_VALID);
    REQUIRE(rebuilt.method == message->method);
    REQUIRE(rebuilt.message_class == message->message_class);
    REQUIRE(rebuilt.has_fingerprint == message->has_fingerprint);
    REQUIRE(rebuilt.peer_address_count == message->peer_address_count);
    REQUIRE(rebuilt.unknown_count == message->unknown_count);
    REQUIRE(memcmp(rebuilt.unknown, message->unknown, 2 * message->unknown_count) == 0);
    original_cursor = 0;
    while (stun_message_next(message, &original_cursor, &original)) {
        REQUIRE(stun_message_next(&rebuilt, &copy_cursor, &copy));
        REQUIRE(copy.type == original.type && copy.value.len == original.value.len);
        REQUIRE(original.type == STUN_ATTRIBUTE_FINGERPRINT ||
                memcmp(copy.value.data, original.value.data, copy.value.len) == 0);
    }
    REQUIRE(!stun_message_next(&rebuilt, &copy_cursor, &copy));
}

static enum stun_verdict check(struct span bytes)
{
    struct stun_message message;
    enum stun_verdict verdict = stun_message_parse(bytes, &message);

    REQUIRE(verdict < STUN_VERDICT_COUNT);
    if (verdict != STUN_VALID)
        return verdict;
    REQUIRE(message.bytes.data == bytes.data && message.bytes.len == bytes.len);
    compare_with_reference(&message);
    read_everything(&message);
    check_unknown(&message);
    check_rebuild(&message);
    return verdict;
}

// The header made right, so that chance need not find the cookie and the length.
static void repair_header(uint8_t *bytes, size_t len)
{
    bytes[0] &= 0x3F;
    store_be16(bytes + 2, (uint16_t)(len - STUN_HEADER_LEN));
    store_be32(bytes + 4, STUN_MAGIC_COOKIE);
}

// The same for the last eight bytes.
static void repair_fingerprint(uint8_t *bytes, size_t len)
{
    struct stun_builder builder;

    if (len < STUN_HEADER_LEN + 8)
        return;
    builder =
        (struct stun_builder){.buffer = bytes, .capacity = (uint32_t)len, .len = (uint32_t)len - 8};
    stun_add_fingerprint(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[STUN_MESSAGE_MAX_LEN];
    size_t len = size & ~(size_t)3;

    check((struct span){data, size});
    if (len < STUN_HEADER_LEN || len > sizeof(copy))
        return 0;
    memcpy(copy, data, len);
    repair_header(copy, len);
    if (check((struct span){copy, len}) == STUN_BAD_FINGERPRINT) {
        repair_fingerprint(copy, len);
        check((struct span){copy, len});
    }
    return 0;
}
