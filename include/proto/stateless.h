// SPDX-License-Identifier: BSD-3-Clause
// The answers that need no state: Binding, 400, 401, 420 and 438 (RFC 8489 sections 6.3, 9.2.4, 12). One function, run
// by the workers for datagrams and by the TURN server for all that reaches it, so that both say the same.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "proto/fingerprint.h"
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

// The words of eight bytes in which answers of one template differ: three from the header's start on, and what an
// address or the end of a nonce takes.
#define STATELESS_HEADER_WORDS 3
#define STATELESS_CHANGED_WORDS 3
#define STATELESS_WORDS (STATELESS_HEADER_WORDS + STATELESS_CHANGED_WORDS)

// Without or with FINGERPRINT.
struct stateless_form {
    uint32_t start; // class and length, where type and length stand in memory
    uint16_t len;
    uint16_t rest_sum; // what all but the words adds to a checksum; a FINGERPRINT's value is not in it
};

// An answer but for what differs from one to the next: the method, the transaction id, and an address or a nonce.
// FINGERPRINT stands behind it, without its value.
struct stateless_template {
    struct stateless_form forms[2]; // by whether there is a FINGERPRINT
    struct fingerprint_plan plan;
    uint16_t changes_offset;
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

struct stateless_reply {
    uint64_t sum; // of all its bytes, for the checksum around it
    uint16_t len;
};

// The same for one of many: stamp has the time and the salt.
enum stateless_verdict stateless_reply(const struct stateless_answers *answers, const struct stun_message *message,
                                       const struct transport_address *client, const struct nonce_stamp *stamp,
                                       uint8_t *buffer, size_t capacity, struct stateless_reply *ret_reply);

// How long the answer gets to a request with this second byte of its type, as a rule and at most: with FINGERPRINT.
static inline size_t stateless_usual_len(const struct stateless_answers *answers, uint8_t type)
{
    const struct stateless_template *template =
        type == STUN_METHOD_BINDING ? &answers->binding_v6 : &answers->unauthenticated;
    return template->forms[1].len;
}

// A 401 or 438 as stateless_process writes it, for the TURN server's own refusals. Its length in bytes.
size_t stateless_write_challenge(const struct stateless_answers *answers, const struct stun_message *message,
                                 const struct transport_address *client, unsigned error, uint32_t now_s, uint16_t salt,
                                 uint8_t *buffer, size_t capacity);
