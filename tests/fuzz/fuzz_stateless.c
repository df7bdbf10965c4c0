// SPDX-License-Identifier: BSD-3-Clause
// The stateless answers to any message: what is answered parses, answers that request, and gives
// nothing away (RFC 8489 sections 6.3, 9.2.4). Input: 4 bytes that choose the circumstances, then a
// message.
#include "proto/stateless.h"

#include "fuzz.h"
#include "proto/builder.h"

#define CHOICES_LEN 4
#define NOW_S       100000
#define SALT        0x1234

// choices[0]
#define WITHOUT_FEATURES 0x01
#define CLIENT_IS_IPV6   0x02
#define NONCE_IS_OURS                                                                              \
    0x04 // the NONCE in the message, if it has the length of ours, is replaced by one that is valid
#define NONCE_IS_OLD     0x08
#define WITHOUT_SOFTWARE 0x10
#define LONGEST_TEXTS    0x20

static struct stateless_policy choose_policy(const uint8_t *choices)
{
    struct stateless_policy policy = {
        .nonce = {.current = {.mac = {{1, 2}}, .id = 1},
                  .previous = {.mac = {{3, 4}}, .id = 2},
                  .lifetime_s = 600,
                  .features = NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY},
        .realm = "turn.example",
        .software = "turnpike",
    };

    if ((choices[0] & WITHOUT_FEATURES) != 0)
        policy.nonce.features = 0;
    if ((choices[0] & LONGEST_TEXTS) != 0) {
        memset(policy.realm, 'r', STATELESS_TEXT_MAX_LEN);
        memset(policy.software, 's', STATELESS_TEXT_MAX_LEN);
    }
    if ((choices[0] & WITHOUT_SOFTWARE) != 0)
        policy.software[0] = '\0';
    return policy;
}

static struct transport_address choose_client(const uint8_t *choices)
{
    static const uint8_t bytes[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    bool is_v6 = (choices[0] & CLIENT_IS_IPV6) != 0;

    return (struct transport_address){
        .ip = ip_address_from_bytes(is_v6 ? IP_FAMILY_V6 : IP_FAMILY_V4, bytes),
        .port = load_be16(choices + 1),
    };
}

static bool has_integrity(const struct stun_message *message)
{
    return stun_message_has(message, STUN_ATTRIBUTE_MESSAGE_INTEGRITY) ||
           stun_message_has(message, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256);
}

static bool nonce_is_valid(const struct stateless_policy *policy,
                           const struct stun_message *message,
                           const struct transport_address *client)
{
    struct span nonce;

    return stun_message_find(message, STUN_ATTRIBUTE_NONCE, &nonce) &&
           nonce_verify(&policy->nonce, client, NOW_S, nonce) == NONCE_VALID;
}

// What must hold of a message that gets no answer.
static void check_silence(const struct stateless_policy *policy, const struct stun_message *message,
                          const struct transport_address *client, enum stateless_verdict verdict)
{
    bool is_request = message->message_class == STUN_CLASS_REQUEST;

    switch (verdict) {
    case STATELESS_PASS:
        REQUIRE(is_request && message->method != STUN_METHOD_BINDING);
        REQUIRE(has_integrity(message));
        REQUIRE(nonce_is_valid(policy, message, client));
        REQUIRE(stun_message_has(message, STUN_ATTRIBUTE_REALM));
        REQUIRE(stun_message_has(message, STUN_ATTRIBUTE_USERNAME) ||
                stun_message_has(message, STUN_ATTRIBUTE_USERHASH));
        REQUIRE(policy->nonce.features == 0 ||
                stun_message_has(message, STUN_ATTRIBUTE_PASSWORD_ALGORITHM) ==
                    stun_message_has(message, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS));
        break;
    case STATELESS_INDICATION:
        REQUIRE(message->message_class == STUN_CLASS_INDICATION);
        REQUIRE(message->method == STUN_METHOD_SEND);
        break;
    default:
        REQUIRE(verdict == STATELESS_IGNORED);
        REQUIRE(!is_request || message->method != STUN_METHOD_BINDING);
    }
}

static unsigned expected_error(enum stateless_verdict verdict)
{
    static const unsigned errors[STATELESS_VERDICT_COUNT] = {
        [STATELESS_BAD_REQUEST] = STUN_ERROR_BAD_REQUEST,
        [STATELESS_UNAUTHENTICATED] = STUN_ERROR_UNAUTHENTICATED,
        [STATELESS_UNKNOWN_ATTRIBUTE] = STUN_ERROR_UNKNOWN_ATTRIBUTE,
        [STATELESS_STALE_NONCE] = STUN_ERROR_STALE_NONCE,
    };

    return errors[verdict];
}

static void check_answer_content(const struct stateless_policy *policy,
                                 const struct stun_message *answer,
                                 const struct transport_address *client,
                                 enum stateless_verdict verdict)
{
    bool is_challenge = verdict == STATELESS_UNAUTHENTICATED || verdict == STATELESS_STALE_NONCE;
    struct transport_address mapped;
    struct span reason;
    unsigned error;

    REQUIRE(stun_message_has(answer, STUN_ATTRIBUTE_SOFTWARE) == (policy->software[0] != '\0'));
    REQUIRE(stun_message_has(answer, STUN_ATTRIBUTE_REALM) == is_challenge);
    REQUIRE(stun_message_has(answer, STUN_ATTRIBUTE_NONCE) == is_challenge);
    REQUIRE(!is_challenge || nonce_is_valid(policy, answer, client));
    if (verdict == STATELESS_BINDING) {
        REQUIRE(answer->message_class == STUN_CLASS_SUCCESS);
        REQUIRE(stun_message_xor_address(answer, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped) ==
                STUN_VALUE_OK);
        REQUIRE(transport_address_equal(&mapped, client));
        return;
    }
    REQUIRE(answer->message_class == STUN_CLASS_ERROR);
    REQUIRE(stun_message_error_code(answer, &error, &reason) == STUN_VALUE_OK);
    REQUIRE(error == expected_error(verdict));
    REQUIRE(stun_message_has(answer, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES) ==
            (verdict == STATELESS_UNKNOWN_ATTRIBUTE));
}

static void check_answer(const struct stateless_answers *answers,
                         const struct stun_message *message, const struct transport_address *client,
                         enum stateless_verdict verdict, struct span bytes)
{
    struct stun_message answer;
    uint8_t again[STATELESS_ANSWER_MAX_LEN];
    size_t again_len = 0;

    REQUIRE(message->message_class == STUN_CLASS_REQUEST);
    REQUIRE(bytes.len <= STATELESS_ANSWER_MAX_LEN);
    REQUIRE(stun_message_parse(bytes, &answer) == STUN_VALID);
    REQUIRE(answer.method == message->method);
    REQUIRE(memcmp(answer.transaction_id, message->transaction_id, STUN_TRANSACTION_ID_LEN) == 0);
    REQUIRE(answer.has_fingerprint == message->has_fingerprint);
    REQUIRE(answer.unknown_count == 0);
    check_answer_content(&answers->policy, &answer, client, verdict);
    // Our own answer, should it come back to us, is not answered.
    REQUIRE(stateless_process(answers, &answer, client, NOW_S, SALT, again, sizeof(again),
                              &again_len) == STATELESS_IGNORED);
    REQUIRE(again_len == 0);
}

static void check(const uint8_t *choices, const struct stun_message *message)
{
    struct stateless_policy policy = choose_policy(choices);
    struct transport_address client = choose_client(choices);
    struct stateless_answers answers;
    uint8_t buffer[STATELESS_ANSWER_MAX_LEN];
    enum stateless_verdict verdict;
    size_t len = 0;

    stateless_answers_init(&answers, &policy);
    memset(buffer, 0xA5, sizeof(buffer));
    verdict =
        stateless_process(&answers, message, &client, NOW_S, SALT, buffer, sizeof(buffer), &len);
    REQUIRE(verdict < STATELESS_VERDICT_COUNT);
    REQUIRE((len != 0) == stateless_is_answer(verdict));
    if (stateless_is_answer(verdict))
        check_answer(&answers, message, &client, verdict, (struct span){buffer, len});
    else
        check_silence(&policy, message, &client, verdict);
}

// Writes a nonce that is ours over the one in the message, which is in our own copy.
static void replace_nonce(const uint8_t *choices, const struct stun_message *message,
                          uint8_t *bytes)
{
    struct stateless_policy policy = choose_policy(choices);
    struct transport_address client = choose_client(choices);
    uint32_t minted_s = (choices[0] & NONCE_IS_OLD) != 0 ? NOW_S - 601 : NOW_S - choices[3];
    struct span nonce;

    if (stun_message_find(message, STUN_ATTRIBUTE_NONCE, &nonce) && nonce.len == NONCE_LEN)
        nonce_mint(&policy.nonce, &client, minted_s, SALT, bytes + (nonce.data - bytes));
}

// The header made right; a FINGERPRINT of the right shape too.
static void repair(uint8_t *bytes, size_t len)
{
    bytes[0] &= 0x3F;
    store_be16(bytes + 2, (uint16_t)(len - STUN_HEADER_LEN));
    store_be32(bytes + 4, STUN_MAGIC_COOKIE);
    if (len >= STUN_HEADER_LEN + 8 &&
        load_be32(bytes + len - 8) == ((uint32_t)STUN_ATTRIBUTE_FINGERPRINT << 16 | 4)) {
        struct stun_builder builder = {
            .buffer = bytes, .capacity = (uint32_t)len, .len = (uint32_t)len - 8};

        stun_add_fingerprint(&builder);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[STUN_MESSAGE_MAX_LEN];
    struct stun_message message;
    size_t len;

    if (size < CHOICES_LEN + STUN_HEADER_LEN || size > sizeof(copy))
        return 0;
    len = (size - CHOICES_LEN) & ~(size_t)3;
    memcpy(copy, data + CHOICES_LEN, len);
    repair(copy, len);
    if (stun_message_parse((struct span){copy, len}, &message) != STUN_VALID)
        return 0;
    if ((data[0] & NONCE_IS_OURS) != 0)
        replace_nonce(data, &message, copy);
    check(data, &message);
    return 0;
}
