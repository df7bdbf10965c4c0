// SPDX-License-Identifier: BSD-3-Clause
// One pass over a STUN message, and typed reads of its attributes (RFC 8489 sections 5, 6.3, 14;
// RFC 8656 section 18).
#include "proto/message.h"

#include "proto/fingerprint.h"

#define MAGIC_COOKIE_OFFSET   4
#define TRANSACTION_ID_OFFSET 8
// RFC 8489 section 14: types below are comprehension-required.
#define FIRST_OPTIONAL_TYPE 0x8000

#define FINGERPRINT_ATTRIBUTE_LEN (STUN_ATTRIBUTE_HEADER_LEN + STUN_FINGERPRINT_LEN)

#define TYPE_BIT(name) (1ull << STUN_ATTRIBUTE_##name)

// The comprehension-required attributes that we know; all of them are below 64.
static const uint64_t known_types =
    TYPE_BIT(MAPPED_ADDRESS) | TYPE_BIT(USERNAME) | TYPE_BIT(MESSAGE_INTEGRITY) |
    TYPE_BIT(ERROR_CODE) | TYPE_BIT(UNKNOWN_ATTRIBUTES) | TYPE_BIT(CHANNEL_NUMBER) |
    TYPE_BIT(LIFETIME) | TYPE_BIT(XOR_PEER_ADDRESS) | TYPE_BIT(DATA) | TYPE_BIT(REALM) |
    TYPE_BIT(NONCE) | TYPE_BIT(XOR_RELAYED_ADDRESS) | TYPE_BIT(REQUESTED_ADDRESS_FAMILY) |
    TYPE_BIT(EVEN_PORT) | TYPE_BIT(REQUESTED_TRANSPORT) | TYPE_BIT(DONT_FRAGMENT) |
    TYPE_BIT(MESSAGE_INTEGRITY_SHA256) | TYPE_BIT(PASSWORD_ALGORITHM) | TYPE_BIT(USERHASH) |
    TYPE_BIT(XOR_MAPPED_ADDRESS) | TYPE_BIT(RESERVATION_TOKEN) | TYPE_BIT(CONNECTION_ID);

static size_t padded_len(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

// RFC 8489 section 5, figure 3: the class is bits 4 and 8 of the type, the method the other twelve.
static uint8_t type_class(uint16_t type)
{
    return (uint8_t)((type >> 7 & 2) | (type >> 4 & 1));
}

static uint16_t type_method(uint16_t type)
{
    return (uint16_t)((type & 0x000F) | (type >> 1 & 0x0070) | (type >> 2 & 0x0F80));
}

// RFC 8489 section 5. stun_first_byte() is narrower: it is for telling protocols apart (RFC 7983),
// not for telling STUN.
static bool first_bits_are_zero(const uint8_t *header)
{
    return (header[0] & 0xC0) == 0;
}

static inline bool len_is_allowed(uint16_t attributes_len)
{
    return attributes_len % 4 == 0 && attributes_len <= STUN_MESSAGE_MAX_LEN - STUN_HEADER_LEN;
}

static inline enum stun_verdict check_header(struct span bytes)
{
    uint16_t attributes_len;

    if (bytes.len < STUN_HEADER_LEN)
        return STUN_TOO_SHORT;
    if (!first_bits_are_zero(bytes.data))
        return STUN_NOT_STUN;
    if (load_be32(bytes.data + MAGIC_COOKIE_OFFSET) != STUN_MAGIC_COOKIE)
        return STUN_BAD_COOKIE;
    attributes_len = load_be16(bytes.data + 2);
    return len_is_allowed(attributes_len) && (size_t)STUN_HEADER_LEN + attributes_len == bytes.len
               ? STUN_VALID
               : STUN_BAD_LENGTH;
}

static bool is_known(uint16_t type)
{
    return type >= FIRST_OPTIONAL_TYPE || (type < 64 && (known_types >> type & 1) != 0);
}

static void note_unknown(struct stun_message *message, uint16_t type)
{
    if (message->unknown_count == STUN_MESSAGE_UNKNOWN_MAX)
        return;
    for (unsigned i = 0; i < message->unknown_count; i++) {
        if (message->unknown[i] == type)
            return;
    }
    message->unknown[message->unknown_count++] = type;
}

// Of a message whose attributes have been found to fit; those that count.
static __attribute__((noinline)) void collect_unknown(struct stun_message *message)
{
    uint32_t cursor = 0;
    struct stun_attribute_view attribute;

    while (stun_message_next(message, &cursor, &attribute)) {
        if (!is_known(attribute.type))
            note_unknown(message, attribute.type);
    }
}

// What a message is found to have: kept in registers until all of it has been seen.
struct findings {
    uint16_t fingerprint_offset; // of headers; 0: absent
    uint16_t integrity_offset;
    uint16_t integrity_sha256_offset;
    uint16_t peer_address_count;
    bool has_unknown;
};

static inline bool found_integrity(const struct findings *findings)
{
    return (findings->integrity_offset | findings->integrity_sha256_offset) != 0;
}

// RFC 8489 section 9: after MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 counts, after that
// nothing (FINGERPRINT apart).
static inline void note_attribute(struct findings *findings, uint16_t type, size_t offset)
{
    if (type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256) {
        if (findings->integrity_sha256_offset == 0)
            findings->integrity_sha256_offset = (uint16_t)offset;
    } else if (found_integrity(findings)) {
        return;
    } else if (type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY) {
        findings->integrity_offset = (uint16_t)offset;
    } else if (type == STUN_ATTRIBUTE_XOR_PEER_ADDRESS) {
        findings->peer_address_count++;
    } else {
        findings->has_unknown |= !is_known(type);
    }
}

static inline enum stun_verdict scan_attributes(struct span bytes, struct findings *findings)
{
    size_t offset = STUN_HEADER_LEN;

    while (offset < bytes.len) {
        // Both the offset and the length are multiples of 4: a header is there.
        uint32_t header = load_be32(bytes.data + offset);
        uint16_t type = (uint16_t)(header >> 16);
        uint16_t len = (uint16_t)header;

        if (len > bytes.len - offset - STUN_ATTRIBUTE_HEADER_LEN)
            return STUN_BAD_ATTRIBUTE;
        if (type < FIRST_OPTIONAL_TYPE) {
            note_attribute(findings, type, offset);
        } else if (type == STUN_ATTRIBUTE_FINGERPRINT) {
            // RFC 8489 section 14.7: the last one.
            if (len != STUN_FINGERPRINT_LEN || offset + FINGERPRINT_ATTRIBUTE_LEN != bytes.len)
                return STUN_BAD_FINGERPRINT;
            findings->fingerprint_offset = (uint16_t)offset;
        }
        offset += STUN_ATTRIBUTE_HEADER_LEN + padded_len(len);
    }
    return STUN_VALID;
}

// RFC 8489 section 14.7: over everything before it. offset: of its header.
static inline bool fingerprint_holds(struct span bytes, size_t offset)
{
    return load_be32(bytes.data + offset + STUN_ATTRIBUTE_HEADER_LEN) ==
           fingerprint(bytes.data, offset);
}

// The first integrity ends what counts: MESSAGE-INTEGRITY, when both are there.
static inline uint16_t attributes_end(struct span bytes, const struct findings *findings)
{
    if (!found_integrity(findings))
        return (uint16_t)bytes.len;
    return findings->integrity_offset != 0 ? findings->integrity_offset
                                           : findings->integrity_sha256_offset;
}

enum stun_verdict stun_message_parse(struct span bytes, struct stun_message *ret_message)
{
    struct findings findings = {.fingerprint_offset = 0};
    enum stun_verdict verdict = check_header(bytes);
    uint16_t type;

    if (verdict != STUN_VALID)
        return verdict;
    verdict = scan_attributes(bytes, &findings);
    if (verdict != STUN_VALID)
        return verdict;
    if (findings.fingerprint_offset != 0 && !fingerprint_holds(bytes, findings.fingerprint_offset))
        return STUN_BAD_FINGERPRINT;
    type = load_be16(bytes.data);
    ret_message->bytes = bytes;
    ret_message->transaction_id = bytes.data + TRANSACTION_ID_OFFSET;
    ret_message->method = type_method(type);
    ret_message->message_class = type_class(type);
    ret_message->has_fingerprint = findings.fingerprint_offset != 0;
    ret_message->attributes_end = attributes_end(bytes, &findings);
    ret_message->integrity_offset = findings.integrity_offset;
    ret_message->integrity_sha256_offset = findings.integrity_sha256_offset;
    ret_message->peer_address_count = findings.peer_address_count;
    ret_message->unknown_count = 0;
    if (findings.has_unknown)
        collect_unknown(ret_message);
    return STUN_VALID;
}

static struct span attribute_value(const struct stun_message *message, size_t offset)
{
    const uint8_t *header = message->bytes.data + offset;

    return (struct span){header + STUN_ATTRIBUTE_HEADER_LEN, load_be16(header + 2)};
}

static size_t fingerprint_offset(const struct stun_message *message)
{
    if (!message->has_fingerprint)
        return 0;
    return message->bytes.len - STUN_ATTRIBUTE_HEADER_LEN - STUN_FINGERPRINT_LEN;
}

// Offset of the first of the attributes that close a message and lies at or after `from`; 0: none.
static size_t next_closing_offset(const struct stun_message *message, size_t from)
{
    if (message->integrity_offset >= from)
        return message->integrity_offset;
    if (message->integrity_sha256_offset >= from)
        return message->integrity_sha256_offset;
    return fingerprint_offset(message) >= from ? fingerprint_offset(message) : 0;
}

bool stun_message_next(const struct stun_message *message, uint32_t *cursor,
                       struct stun_attribute_view *ret_attribute)
{
    size_t offset = *cursor != 0 ? *cursor : STUN_HEADER_LEN;
    struct span value;

    if (offset >= message->attributes_end) {
        offset = next_closing_offset(message, offset);
        if (offset == 0)
            return false;
    }
    value = attribute_value(message, offset);
    *cursor = (uint32_t)(offset + STUN_ATTRIBUTE_HEADER_LEN + padded_len(value.len));
    ret_attribute->type = load_be16(message->bytes.data + offset);
    ret_attribute->value = value;
    return true;
}

// Of the attributes that close a message, the one of this type; 0: none.
static size_t closing_offset(const struct stun_message *message, uint16_t type)
{
    switch (type) {
    case STUN_ATTRIBUTE_MESSAGE_INTEGRITY:
        return message->integrity_offset;
    case STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256:
        return message->integrity_sha256_offset;
    case STUN_ATTRIBUTE_FINGERPRINT:
        return fingerprint_offset(message);
    default:
        return 0;
    }
}

// A walk of its own, half as long as one with stun_message_next: workers look for two attributes in
// every Send indication.
bool stun_message_find(const struct stun_message *message, uint16_t type, struct span *ret_value)
{
    const uint8_t *bytes = message->bytes.data;
    size_t offset = STUN_HEADER_LEN;

    while (offset < message->attributes_end && load_be16(bytes + offset) != type)
        offset += STUN_ATTRIBUTE_HEADER_LEN + padded_len(load_be16(bytes + offset + 2));
    if (offset >= message->attributes_end)
        offset = closing_offset(message, type);
    if (offset == 0)
        return false;
    *ret_value = attribute_value(message, offset);
    return true;
}

bool stun_message_has(const struct stun_message *message, uint16_t type)
{
    struct span value;

    return stun_message_find(message, type, &value);
}

// First occurrence, of exactly this length.
static enum stun_value find_fixed(const struct stun_message *message, uint16_t type, size_t len,
                                  const uint8_t **ret_value)
{
    struct span value;

    if (!stun_message_find(message, type, &value))
        return STUN_VALUE_ABSENT;
    if (value.len != len)
        return STUN_VALUE_MALFORMED;
    *ret_value = value.data;
    return STUN_VALUE_OK;
}

enum stun_value stun_message_u32(const struct stun_message *message, uint16_t type,
                                 uint32_t *ret_value)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, type, 4, &bytes);

    if (result == STUN_VALUE_OK)
        *ret_value = load_be32(bytes);
    return result;
}

enum stun_value stun_message_flag(const struct stun_message *message, uint16_t type)
{
    const uint8_t *bytes;

    return find_fixed(message, type, 0, &bytes);
}

// RFC 8489 section 14.1: one ignored octet, the family, the port, the address.
static bool decode_address(struct span value, struct transport_address *ret_address)
{
    enum ip_family family;

    if (value.len == 8 && value.data[1] == STUN_FAMILY_IPV4)
        family = IP_FAMILY_V4;
    else if (value.len == 20 && value.data[1] == STUN_FAMILY_IPV6)
        family = IP_FAMILY_V6;
    else
        return false;
    ret_address->port = load_be16(value.data + 2);
    ret_address->ip = ip_address_from_bytes(family, value.data + 4);
    return true;
}

bool stun_decode_xor_address(struct span value, const uint8_t *transaction_id,
                             struct transport_address *ret_address)
{
    struct transport_address address;
    uint8_t mask[16];

    if (!decode_address(value, &address))
        return false;
    // RFC 8489 section 14.2: the cookie, then the transaction id.
    store_be32(mask, STUN_MAGIC_COOKIE);
    memcpy(mask + 4, transaction_id, STUN_TRANSACTION_ID_LEN);
    address.port ^= STUN_MAGIC_COOKIE >> 16;
    for (unsigned i = 0; i < ip_address_len(&address.ip); i++)
        address.ip.bytes[i] ^= mask[i];
    *ret_address = address;
    return true;
}

enum stun_value stun_message_xor_address(const struct stun_message *message, uint16_t type,
                                         struct transport_address *ret_address)
{
    struct span value;

    if (!stun_message_find(message, type, &value))
        return STUN_VALUE_ABSENT;
    return stun_decode_xor_address(value, message->transaction_id, ret_address)
               ? STUN_VALUE_OK
               : STUN_VALUE_MALFORMED;
}

enum stun_value stun_message_address(const struct stun_message *message, uint16_t type,
                                     struct transport_address *ret_address)
{
    struct span value;

    if (!stun_message_find(message, type, &value))
        return STUN_VALUE_ABSENT;
    return decode_address(value, ret_address) ? STUN_VALUE_OK : STUN_VALUE_MALFORMED;
}

enum stun_value stun_message_channel_number(const struct stun_message *message,
                                            uint16_t *ret_channel)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, STUN_ATTRIBUTE_CHANNEL_NUMBER, 4, &bytes);
    uint16_t channel;

    if (result != STUN_VALUE_OK)
        return result;
    channel = load_be16(bytes);
    if (channel < TURN_CHANNEL_MIN || channel > TURN_CHANNEL_MAX_RFC5766)
        return STUN_VALUE_MALFORMED;
    *ret_channel = channel;
    return STUN_VALUE_OK;
}

enum stun_value stun_message_even_port(const struct stun_message *message, bool *ret_reserve_next)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, STUN_ATTRIBUTE_EVEN_PORT, 1, &bytes);

    if (result == STUN_VALUE_OK)
        *ret_reserve_next = (bytes[0] & 0x80) != 0;
    return result;
}

enum stun_value stun_message_requested_transport(const struct stun_message *message,
                                                 uint8_t *ret_protocol)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, STUN_ATTRIBUTE_REQUESTED_TRANSPORT, 4, &bytes);

    if (result == STUN_VALUE_OK)
        *ret_protocol = bytes[0];
    return result;
}

static enum ip_family family_from_octet(uint8_t octet)
{
    return octet == STUN_FAMILY_IPV4   ? IP_FAMILY_V4
           : octet == STUN_FAMILY_IPV6 ? IP_FAMILY_V6
                                       : IP_FAMILY_NONE;
}

enum stun_value stun_message_address_family(const struct stun_message *message, uint16_t type,
                                            enum ip_family *ret_family)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, type, 4, &bytes);

    if (result == STUN_VALUE_OK)
        *ret_family = family_from_octet(bytes[0]);
    return result;
}

enum stun_value stun_message_reservation_token(const struct stun_message *message,
                                               uint8_t ret_token[8])
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, STUN_ATTRIBUTE_RESERVATION_TOKEN, 8, &bytes);

    if (result == STUN_VALUE_OK)
        memcpy(ret_token, bytes, 8);
    return result;
}

// RFC 8489 section 14.8: hundreds and the rest in their own octets, then the phrase.
static bool decode_error(struct span value, unsigned *ret_error, struct span *ret_reason)
{
    unsigned hundreds;
    unsigned number;

    if (value.len < 4 || value.len - 4 > STUN_STRING_MAX_LEN)
        return false;
    hundreds = value.data[2] & 7;
    number = value.data[3];
    if (hundreds < 3 || hundreds > 6 || number > 99)
        return false;
    *ret_error = hundreds * 100 + number;
    *ret_reason = (struct span){value.data + 4, value.len - 4};
    return true;
}

enum stun_value stun_message_error_code(const struct stun_message *message, unsigned *ret_error,
                                        struct span *ret_reason)
{
    struct span value;

    if (!stun_message_find(message, STUN_ATTRIBUTE_ERROR_CODE, &value))
        return STUN_VALUE_ABSENT;
    return decode_error(value, ret_error, ret_reason) ? STUN_VALUE_OK : STUN_VALUE_MALFORMED;
}

enum stun_value stun_message_address_error_code(const struct stun_message *message,
                                                enum ip_family *ret_family, unsigned *ret_error,
                                                struct span *ret_reason)
{
    struct span value;
    enum ip_family family;

    if (!stun_message_find(message, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, &value))
        return STUN_VALUE_ABSENT;
    family = value.len > 0 ? family_from_octet(value.data[0]) : IP_FAMILY_NONE;
    if (family == IP_FAMILY_NONE || !decode_error(value, ret_error, ret_reason))
        return STUN_VALUE_MALFORMED;
    *ret_family = family;
    return STUN_VALUE_OK;
}

enum stun_value stun_message_icmp(const struct stun_message *message, uint8_t *ret_type,
                                  uint8_t *ret_code, uint32_t *ret_data)
{
    const uint8_t *bytes;
    enum stun_value result = find_fixed(message, STUN_ATTRIBUTE_ICMP, 8, &bytes);

    if (result != STUN_VALUE_OK)
        return result;
    // RFC 8656 figure 11 draws 7 bits of type and 9 of code; in ICMP both are octets, and so they
    // are here.
    *ret_type = bytes[2];
    *ret_code = bytes[3];
    *ret_data = load_be32(bytes + 4);
    return STUN_VALUE_OK;
}

// USERNAME and REALM are OpaqueStrings, which are never empty; a domain name is not either.
static bool string_len_allowed(uint16_t type, size_t len)
{
    switch (type) {
    case STUN_ATTRIBUTE_USERNAME:
    case STUN_ATTRIBUTE_REALM:
        return len >= 1 && len <= STUN_STRING_MAX_LEN;
    case STUN_ATTRIBUTE_ALTERNATE_DOMAIN:
        return len >= 1 && len <= STUN_DOMAIN_MAX_LEN;
    default:
        return len <= STUN_STRING_MAX_LEN;
    }
}

enum stun_value stun_message_string(const struct stun_message *message, uint16_t type,
                                    struct span *ret_text)
{
    struct span value;

    if (!stun_message_find(message, type, &value))
        return STUN_VALUE_ABSENT;
    if (!string_len_allowed(type, value.len))
        return STUN_VALUE_MALFORMED;
    *ret_text = value;
    return STUN_VALUE_OK;
}

enum stun_value stun_message_userhash(const struct stun_message *message, const uint8_t **ret_hash)
{
    return find_fixed(message, STUN_ATTRIBUTE_USERHASH, 32, ret_hash);
}

enum stun_value stun_message_unknown_attributes(const struct stun_message *message,
                                                uint16_t *ret_types, unsigned capacity,
                                                unsigned *ret_count)
{
    struct span value;
    unsigned count;

    if (!stun_message_find(message, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, &value))
        return STUN_VALUE_ABSENT;
    if (value.len % 2 != 0)
        return STUN_VALUE_MALFORMED;
    count = (unsigned)(value.len / 2);
    for (unsigned i = 0; i < count && i < capacity; i++)
        ret_types[i] = load_be16(value.data + 2 * i);
    *ret_count = count;
    return STUN_VALUE_OK;
}

// Takes one algorithm and its padded parameters off the front. RFC 8489 section 18.5.1: MD5 and
// SHA-256 have no parameters.
static bool take_algorithm(struct span *list, uint16_t *ret_algorithm)
{
    uint16_t algorithm;
    size_t parameters_len;

    if (list->len < 4)
        return false;
    algorithm = load_be16(list->data);
    parameters_len = padded_len(load_be16(list->data + 2));
    if (parameters_len > list->len - 4)
        return false;
    if (parameters_len != 0 &&
        (algorithm == STUN_PASSWORD_ALGORITHM_MD5 || algorithm == STUN_PASSWORD_ALGORITHM_SHA256))
        return false;
    list->data += 4 + parameters_len;
    list->len -= 4 + parameters_len;
    *ret_algorithm = algorithm;
    return true;
}

enum stun_value stun_message_password_algorithm(const struct stun_message *message,
                                                uint16_t *ret_algorithm)
{
    struct span value;
    uint16_t algorithm;

    if (!stun_message_find(message, STUN_ATTRIBUTE_PASSWORD_ALGORITHM, &value))
        return STUN_VALUE_ABSENT;
    if (!take_algorithm(&value, &algorithm) || value.len != 0)
        return STUN_VALUE_MALFORMED;
    *ret_algorithm = algorithm;
    return STUN_VALUE_OK;
}

enum stun_value stun_message_password_algorithms(const struct stun_message *message,
                                                 uint16_t *ret_algorithms, unsigned capacity,
                                                 unsigned *ret_count)
{
    struct span value;
    struct span rest;
    unsigned count = 0;
    uint16_t algorithm;

    if (!stun_message_find(message, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS, &value))
        return STUN_VALUE_ABSENT;
    for (rest = value; rest.len > 0; count++) {
        if (!take_algorithm(&rest, &algorithm))
            return STUN_VALUE_MALFORMED;
    }
    for (unsigned i = 0; i < count && i < capacity; i++)
        take_algorithm(&value, &ret_algorithms[i]);
    *ret_count = count;
    return STUN_VALUE_OK;
}
