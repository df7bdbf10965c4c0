// SPDX-License-Identifier: BSD-3-Clause
// The answers that need no state: Binding, 400, 401, 420 and 438 (RFC 8489 sections 6.3, 9.2.4, 12). One function, run
// by the workers for datagrams and by the TURN server for all that reaches it, so that both say the same.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "proto/message.h"
#include "proto/nonce.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATELESS_TEXT_MAX_LEN 127

// The longest answer: 420 with every unknown attribute, SOFTWARE and REALM at their longest.
#define STATELESS_ANSWER_MAX_LEN 768

struct stateless_policy {
    struct nonce_policy nonce;
    char realm[STATELESS_TEXT_MAX_LEN + 1];    // through OpaqueString
    char software[STATELESS_TEXT_MAX_LEN + 1]; // empty: no SOFTWARE attribute
};

// The longest template: a 401, its texts at their longest.
#define STATELESS_TEMPLATE_MAX_LEN 368

// An answer but for what differs from one to the next: the method, the transaction id, and an address or a nonce's
// body. FINGERPRINT stands behind it, without its value.
struct stateless_template {
    uint16_t len;            // bytes, without FINGERPRINT
    uint16_t changes_offset; // of the address or body
    uint8_t bytes[STATELESS_TEMPLATE_MAX_LEN] __attribute__((aligned(16)));
};

// A policy made ready to answer with. Plain data: copied as bytes.
struct stateless_answers {
    struct stateless_policy policy;
    struct stateless_template binding_v4;
    struct stateless_template binding_v6;
    struct stateless_template unauthenticated;
    struct stateless_template stale_nonce;
};

void stateless_answers_init(struct stateless_answers *answers, const struct stateless_policy *policy);

enum stateless_verdict {
    STATELESS_BINDING,           // answered: Binding success
    STATELESS_BAD_REQUEST,       // answered: 400
    STATELESS_UNAUTHENTICATED,   // answered: 401 with a nonce
    STATELESS_UNKNOWN_ATTRIBUTE, // answered: 420 (Binding only; elsewhere authentication comes first)
    STATELESS_STALE_NONCE,       // answered: 438
    STATELESS_PASS,              // has credentials and a valid nonce: for the TURN server
    STATELESS_INDICATION,        // Send: for the forwarding path
    STATELESS_IGNORED,           // a response, a Binding or foreign indication, an unknown method: never answered
    STATELESS_VERDICT_COUNT,
};

static inline bool stateless_is_answer(enum stateless_verdict verdict)
{
    return verdict <= STATELESS_STALE_NONCE;
}

// In one step. Writes the answer to buffer and its length to *ret_len when stateless_is_answer(); otherwise the buffer
// is left as it is. The request may be what is in the buffer, from its start, and is then overwritten. An answer
// carries FINGERPRINT when the request did. capacity is at least STATELESS_ANSWER_MAX_LEN. now_s: monotonic seconds.
// salt: 16 unpredictable bits, for the nonce.
enum stateless_verdict stateless_process(const struct stateless_answers *answers, const struct stun_message *message,
                                         const struct transport_address *client, uint32_t now_s, uint16_t salt,
                                         uint8_t *buffer, size_t capacity, size_t *ret_len);

// The same in two steps, for many answers at a time: what the second reads was then not stored a moment ago, in pieces.
// After the first an answer lacks FINGERPRINT's value, which the second writes; it is for answers that have one.
enum stateless_verdict stateless_prepare(const struct stateless_answers *answers, const struct stun_message *message,
                                         const struct transport_address *client, uint32_t now_s, uint16_t salt,
                                         uint8_t *buffer, size_t capacity, size_t *ret_len);
void stateless_seal(uint8_t *answer, size_t len);

// How long the answer gets to a request with this second byte of its type, as a rule and at most: with FINGERPRINT.
static inline size_t stateless_usual_len(const struct stateless_answers *answers, uint8_t type)
{
    const struct stateless_template *template =
        type == STUN_METHOD_BINDING ? &answers->binding_v6 : &answers->unauthenticated;
    return template->len + STUN_ATTRIBUTE_HEADER_LEN + STUN_FINGERPRINT_LEN;
}

// A 401 or 438 as stateless_process writes it, for the TURN server's own refusals. Its length in bytes.
size_t stateless_write_challenge(const struct stateless_answers *answers, const struct stun_message *message,
                                 const struct transport_address *client, unsigned error, uint32_t now_s, uint16_t salt,
                                 uint8_t *buffer, size_t capacity);
