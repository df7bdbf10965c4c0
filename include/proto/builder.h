// SPDX-License-Identifier: BSD-3-Clause
// Writing a STUN message into a caller's buffer (RFC 8489 sections 5, 14; RFC 8656 section 18). Never allocates; every
// padding and reserved byte is zero. An attribute that does not fit sets `overflow` and leaves the message as it was.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

struct integrity_key; // proto/integrity.h

struct stun_builder {
    uint8_t *buffer;
    uint32_t capacity;
    uint32_t len; // bytes written so far, header included
    bool overflow;
};

// capacity is at least STUN_HEADER_LEN. transaction_id: STUN_TRANSACTION_ID_LEN bytes, copied.
void stun_builder_init(struct stun_builder *builder, void *buffer, size_t capacity, enum stun_class message_class,
                       uint16_t method, const uint8_t *transaction_id);

void stun_add_bytes(struct stun_builder *builder, uint16_t type, const void *value, size_t len);
void stun_add_u32(struct stun_builder *builder, uint16_t type, uint32_t value);
void stun_add_flag(struct stun_builder *builder, uint16_t type); // an attribute without a value, like DONT-FRAGMENT
void stun_add_string(struct stun_builder *builder, uint16_t type, const char *text);
void stun_add_address(struct stun_builder *builder, uint16_t type, const struct transport_address *address);
void stun_add_xor_address(struct stun_builder *builder, uint16_t type, const struct transport_address *address);
void stun_add_error_code(struct stun_builder *builder, unsigned error); // with its registered reason
void stun_add_unknown_attributes(struct stun_builder *builder, const uint16_t *types, unsigned count);
void stun_add_channel_number(struct stun_builder *builder, uint16_t channel);
void stun_add_even_port(struct stun_builder *builder, bool reserve_next);
void stun_add_requested_transport(struct stun_builder *builder, uint8_t protocol);
void stun_add_address_family(struct stun_builder *builder, uint16_t type, enum ip_family family);
void stun_add_address_error_code(struct stun_builder *builder, enum ip_family family, unsigned error);
void stun_add_icmp(struct stun_builder *builder, uint8_t icmp_type, uint8_t icmp_code, uint32_t data);
void stun_add_password_algorithm(struct stun_builder *builder, uint16_t algorithm);
void stun_add_password_algorithms(struct stun_builder *builder, const uint16_t *algorithms, unsigned count);

// Integrity covers all that was added before; call after every other attribute and before the fingerprint.
void stun_add_message_integrity(struct stun_builder *builder, const struct integrity_key *key);
void stun_add_message_integrity_sha256(struct stun_builder *builder, const struct integrity_key *key);
void stun_add_fingerprint(struct stun_builder *builder); // last

// The finished message's length, or 0 when anything overflowed.
size_t stun_builder_finish(const struct stun_builder *builder);
