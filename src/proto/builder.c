// SPDX-License-Identifier: BSD-3-Clause
// Appending attributes to a STUN message; the header's length is right after every one (RFC 8489
// sections 5, 14).
#include "proto/builder.h"

#include "proto/fingerprint.h"
#include "proto/integrity.h"

// RFC 8489 section 5, figure 3: bits 4 and 8 are the class, the method's twelve bits lie around
// them.
static uint16_t message_type(enum stun_class message_class, uint16_t method)
{
    return (uint16_t)((method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 |
                      (message_class & 1) << 4 | (message_class & 2) << 7);
}

void stun_builder_init(struct stun_builder *builder, void *buffer, size_t capacity,
                       enum stun_class message_class, uint16_t method,
                       const uint8_t *transaction_id)
{
    assert(capacity >= STUN_HEADER_LEN);
    builder->buffer = buffer;
    builder->capacity = capacity < STUN_MESSAGE_MAX_LEN ? (uint32_t)capacity : STUN_MESSAGE_MAX_LEN;
    builder->len = STUN_HEADER_LEN;
    builder->overflow = false;
    store_be16(builder->buffer, message_type(message_class, method));
    store_be16(builder->buffer + 2, 0);
    store_be32(builder->buffer + 4, STUN_MAGIC_COOKIE);
    memcpy(builder->buffer + 8, transaction_id, STUN_TRANSACTION_ID_LEN);
}

// Space for a value of len bytes, its header written and its padding zero; NULL when it does not
// fit.
static uint8_t *add_value(struct stun_builder *builder, uint16_t type, size_t len)
{
    size_t padded_len = (len + 3) & ~(size_t)3;
    uint8_t *header = builder->buffer + builder->len;

    if (len > STUN_MESSAGE_MAX_LEN ||
        padded_len + STUN_ATTRIBUTE_HEADER_LEN > builder->capacity - builder->len) {
        builder->overflow = true;
        return NULL;
    }
    store_be16(header, type);
    store_be16(header + 2, (uint16_t)len);
    memset(header + STUN_ATTRIBUTE_HEADER_LEN + len, 0, padded_len - len);
    builder->len += (uint32_t)(STUN_ATTRIBUTE_HEADER_LEN + padded_len);
    store_be16(builder->buffer + 2, (uint16_t)(builder->len - STUN_HEADER_LEN));
    return header + STUN_ATTRIBUTE_HEADER_LEN;
}

void stun_add_bytes(struct stun_builder *builder, uint16_t type, const void *value, size_t len)
{
    uint8_t *bytes = add_value(builder, type, len);

    if (bytes != NULL && len > 0)
        memcpy(bytes, value, len);
}

void stun_add_u32(struct stun_builder *builder, uint16_t type, uint32_t value)
{
    uint8_t *bytes = add_value(builder, type, sizeof(value));

    if (bytes != NULL)
        store_be32(bytes, value);
}

void stun_add_flag(struct stun_builder *builder, uint16_t type)
{
    add_value(builder, type, 0);
}

void stun_add_string(struct stun_builder *builder, uint16_t type, const char *text)
{
    stun_add_bytes(builder, type, text, strlen(text));
}

static uint8_t family_octet(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6;
}

void stun_add_address(struct stun_builder *builder, uint16_t type,
                      const struct transport_address *address)
{
    unsigned ip_len = ip_address_len(&address->ip);
    uint8_t *bytes;

    assert(ip_len != 0);
    bytes = add_value(builder, type, 4 + ip_len);
    if (bytes == NULL)
        return;
    bytes[0] = 0;
    bytes[1] = family_octet(address->ip.family);
    store_be16(bytes + 2, address->port);
    memcpy(bytes + 4, address->ip.bytes, ip_len);
}

void stun_add_xor_address(struct stun_builder *builder, uint16_t type,
                          const struct transport_address *address)
{
    // RFC 8489 section 14.2: the mask is the cookie and the transaction id, as they stand in the
    // header.
    const uint8_t *mask = builder->buffer + 4;
    struct transport_address masked = *address;

    masked.port ^= STUN_MAGIC_COOKIE >> 16;
    for (unsigned i = 0; i < ip_address_len(&masked.ip); i++)
        masked.ip.bytes[i] ^= mask[i];
    stun_add_address(builder, type, &masked);
}

// RFC 8489 section 14.8, RFC 8656 section 18.12: the two differ in their first octet only.
static void add_error(struct stun_builder *builder, uint16_t type, uint8_t first, unsigned error)
{
    const char *reason = stun_error_reason(error);
    size_t reason_len = strlen(reason);
    uint8_t *bytes;

    assert(error >= 300 && error <= 699);
    bytes = add_value(builder, type, 4 + reason_len);
    if (bytes == NULL)
        return;
    bytes[0] = first;
    bytes[1] = 0;
    bytes[2] = (uint8_t)(error / 100);
    bytes[3] = (uint8_t)(error % 100);
    memcpy(bytes + 4, reason, reason_len);
}

void stun_add_error_code(struct stun_builder *builder, unsigned error)
{
    add_error(builder, STUN_ATTRIBUTE_ERROR_CODE, 0, error);
}

void stun_add_address_error_code(struct stun_builder *builder, enum ip_family family,
                                 unsigned error)
{
    add_error(builder, STUN_ATTRIBUTE_ADDRESS_ERROR_CODE, family_octet(family), error);
}

void stun_add_unknown_attributes(struct stun_builder *builder, const uint16_t *types,
                                 unsigned count)
{
    uint8_t *bytes = add_value(builder, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, 2 * (size_t)count);

    if (bytes == NULL)
        return;
    for (unsigned i = 0; i < count; i++)
        store_be16(bytes + 2 * i, types[i]);
}

void stun_add_channel_number(struct stun_builder *builder, uint16_t channel)
{
    stun_add_u32(builder, STUN_ATTRIBUTE_CHANNEL_NUMBER, (uint32_t)channel << 16);
}

void stun_add_even_port(struct stun_builder *builder, bool reserve_next)
{
    stun_add_bytes(builder, STUN_ATTRIBUTE_EVEN_PORT, reserve_next ? "\x80" : "\0", 1);
}

void stun_add_requested_transport(struct stun_builder *builder, uint8_t protocol)
{
    stun_add_u32(builder, STUN_ATTRIBUTE_REQUESTED_TRANSPORT, (uint32_t)protocol << 24);
}

void stun_add_address_family(struct stun_builder *builder, uint16_t type, enum ip_family family)
{
    stun_add_u32(builder, type, (uint32_t)family_octet(family) << 24);
}

void stun_add_icmp(struct stun_builder *builder, uint8_t icmp_type, uint8_t icmp_code,
                   uint32_t data)
{
    uint8_t *bytes = add_value(builder, STUN_ATTRIBUTE_ICMP, 8);

    if (bytes == NULL)
        return;
    store_be16(bytes, 0);
    bytes[2] = icmp_type;
    bytes[3] = icmp_code;
    store_be32(bytes + 4, data);
}

// RFC 8489 section 18.5.1: the known algorithms have no parameters.
void stun_add_password_algorithm(struct stun_builder *builder, uint16_t algorithm)
{
    stun_add_u32(builder, STUN_ATTRIBUTE_PASSWORD_ALGORITHM, (uint32_t)algorithm << 16);
}

void stun_add_password_algorithms(struct stun_builder *builder, const uint16_t *algorithms,
                                  unsigned count)
{
    uint8_t *bytes = add_value(builder, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS, 4 * (size_t)count);

    if (bytes == NULL)
        return;
    for (unsigned i = 0; i < count; i++)
        store_be32(bytes + 4 * i, (uint32_t)algorithms[i] << 16);
}

void stun_add_message_integrity(struct stun_builder *builder, const struct integrity_key *key)
{
    size_t offset = builder->len;
    uint8_t *mac = add_value(builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, INTEGRITY_SHA1_LEN);

    if (mac != NULL)
        integrity_sha1(key, builder->buffer, offset, mac);
}

void stun_add_message_integrity_sha256(struct stun_builder *builder,
                                       const struct integrity_key *key)
{
    size_t offset = builder->len;
    uint8_t *mac =
        add_value(builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, INTEGRITY_SHA256_LEN);

    if (mac != NULL)
        integrity_sha256(key, builder->buffer, offset, mac);
}

void stun_add_fingerprint(struct stun_builder *builder)
{
    size_t offset = builder->len;
    uint8_t *bytes = add_value(builder, STUN_ATTRIBUTE_FINGERPRINT, STUN_FINGERPRINT_LEN);

    // RFC 8489 section 14.7: over a header whose length includes this attribute, which add_value
    // has seen to.
    if (bytes != NULL)
        store_be32(bytes, fingerprint(builder->buffer, offset));
}

size_t stun_builder_finish(const struct stun_builder *builder)
{
    return builder->overflow ? 0 : builder->len;
}
