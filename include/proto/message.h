// SPDX-License-Identifier: BSD-3-Clause
// Reading a STUN message: header, attribute order, typed values (RFC 8489 sections 5, 6.3, 14; RFC 8656 section 18).
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "proto/stun.h"

#include <stdbool.h>
#include <stdint.h>

// Why a datagram is no usable STUN message. Each is counted under its own name by the caller; none is answered.
enum stun_verdict {
    STUN_VALID,
    STUN_TOO_SHORT,        // less than a header
    STUN_NOT_STUN,         // first two bits are not zero
    STUN_BAD_COOKIE,       // magic cookie missing
    STUN_BAD_LENGTH,       // header length not a multiple of 4, or not what the datagram holds, or past the limit
    STUN_BAD_ATTRIBUTE,    // an attribute runs past the end of the message
    STUN_BAD_FINGERPRINT,  // FINGERPRINT present and wrong, of wrong length, or not last
    STUN_VERDICT_COUNT,
};

// How a typed value was read.
enum stun_value {
    STUN_VALUE_OK,
    STUN_VALUE_ABSENT,
    STUN_VALUE_MALFORMED, // wrong length, wrong family, out of the RFC's range: a request with it gets 400
};

#define STUN_MESSAGE_UNKNOWN_MAX 32

// A parsed message: a view into the caller's buffer, valid while that is. Attributes after MESSAGE-INTEGRITY are not
// in it (MESSAGE-INTEGRITY-SHA256 and FINGERPRINT apart), nor are those after MESSAGE-INTEGRITY-SHA256
// (RFC 8489 sections 14.5-14.6). Of an attribute that repeats, the first is taken (section 14).
struct stun_message {
    struct span bytes;              // header and attributes, as the header's length says
    const uint8_t *transaction_id;  // STUN_TRANSACTION_ID_LEN bytes
    uint16_t method;                // enum stun_method, or one that we do not know
    uint8_t message_class;          // enum stun_class
    bool has_fingerprint;
    uint16_t attributes_end;        // offset in bytes where the attributes that count end
    uint16_t integrity_offset;      // of the MESSAGE-INTEGRITY attribute's header; 0: absent
    uint16_t integrity_sha256_offset;
    uint16_t peer_address_count;    // XOR-PEER-ADDRESS attributes
    uint16_t unknown_count;         // comprehension-required attributes that we do not know, at most the array's size
    uint16_t unknown[STUN_MESSAGE_UNKNOWN_MAX]; // without repeats, in order
};

// True when the first byte is one that only STUN uses (RFC 7983): 0..3.
static inline bool stun_first_byte(uint8_t byte)
{
    return byte < 4;
}

// Parse a whole datagram (bytes after the message are STUN_BAD_LENGTH) or one framed stream message.
// Reads nothing outside bytes, writes *ret_message only on STUN_VALID.
enum stun_verdict stun_message_parse(struct span bytes, struct stun_message *ret_message);

// First occurrence of an attribute among those that count.
bool stun_message_find(const struct stun_message *message, uint16_t type, struct span *ret_value);
bool stun_message_has(const struct stun_message *message, uint16_t type);

// Walk: *cursor starts at 0. False at the end.
struct stun_attribute_view {
    uint16_t type;
    struct span value;
};
bool stun_message_next(const struct stun_message *message, uint32_t *cursor, struct stun_attribute_view *ret_attribute);

// Typed reads of the first occurrence; *ret_ is untouched unless STUN_VALUE_OK.
enum stun_value stun_message_u32(const struct stun_message *message, uint16_t type, uint32_t *ret_value);
// An attribute without a value, like DONT-FRAGMENT: OK when it is there and empty.
enum stun_value stun_message_flag(const struct stun_message *message, uint16_t type);
enum stun_value stun_message_xor_address(const struct stun_message *message, uint16_t type,
                                         struct transport_address *ret_address);
// MAPPED-ADDRESS, ALTERNATE-SERVER.
enum stun_value stun_message_address(const struct stun_message *message, uint16_t type,
                                     struct transport_address *ret_address);
// MALFORMED when outside TURN_CHANNEL_MIN..TURN_CHANNEL_MAX_RFC5766.
enum stun_value stun_message_channel_number(const struct stun_message *message, uint16_t *ret_channel);
enum stun_value stun_message_even_port(const struct stun_message *message, bool *ret_reserve_next);
// REQUESTED-TRANSPORT: the IP protocol number.
enum stun_value stun_message_requested_transport(const struct stun_message *message, uint8_t *ret_protocol);
// REQUESTED-ADDRESS-FAMILY or ADDITIONAL-ADDRESS-FAMILY. A family octet that is neither 1 nor 2 reads as OK with
// IP_FAMILY_NONE: RFC 8656 section 7.2 answers it with 440, not 400.
enum stun_value stun_message_address_family(const struct stun_message *message, uint16_t type,
                                            enum ip_family *ret_family);
enum stun_value stun_message_reservation_token(const struct stun_message *message, uint8_t ret_token[8]);
enum stun_value stun_message_error_code(const struct stun_message *message, unsigned *ret_error,
                                        struct span *ret_reason);
enum stun_value stun_message_address_error_code(const struct stun_message *message, enum ip_family *ret_family,
                                                unsigned *ret_error, struct span *ret_reason);
enum stun_value stun_message_icmp(const struct stun_message *message, uint8_t *ret_type, uint8_t *ret_code,
                                  uint32_t *ret_data);
// USERNAME, REALM, NONCE, SOFTWARE, ALTERNATE-DOMAIN: non-empty where the RFC wants it, not longer than it allows.
enum stun_value stun_message_string(const struct stun_message *message, uint16_t type, struct span *ret_text);
// PASSWORD-ALGORITHM: the one algorithm. MALFORMED also when it carries parameters that its algorithm does not have.
enum stun_value stun_message_password_algorithm(const struct stun_message *message, uint16_t *ret_algorithm);
// USERHASH: 32 bytes in the message.
enum stun_value stun_message_userhash(const struct stun_message *message, const uint8_t **ret_hash);
// UNKNOWN-ATTRIBUTES, PASSWORD-ALGORITHMS: the first `capacity` entries, and how many there are in all.
enum stun_value stun_message_unknown_attributes(const struct stun_message *message, uint16_t *ret_types,
                                                unsigned capacity, unsigned *ret_count);
enum stun_value stun_message_password_algorithms(const struct stun_message *message, uint16_t *ret_algorithms,
                                                 unsigned capacity, unsigned *ret_count);

// XOR-decode one XOR-*-ADDRESS value found by stun_message_next. False: malformed.
bool stun_decode_xor_address(struct span value, const uint8_t *transaction_id, struct transport_address *ret_address);
