// SPDX-License-Identifier: BSD-3-Clause
// What can be answered from the message and the nonce key alone (RFC 8489 sections 6.3.1, 9.2.4,
// 12).
#include "proto/stateless.h"

#include "proto/builder.h"
#include "proto/fingerprint.h"

// What we offer, in order of preference (RFC 8489 section 9.2.4), and the bytes of that
// PASSWORD-ALGORITHMS value.
static const uint16_t offered_algorithms[] = {STUN_PASSWORD_ALGORITHM_SHA256,
                                              STUN_PASSWORD_ALGORITHM_MD5};
static const uint8_t offered_value[] = {0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00};

#define OFFERED_COUNT (sizeof(offered_algorithms) / sizeof(offered_algorithms[0]))

static_assert(sizeof(offered_value) == 4 * OFFERED_COUNT, "one entry an algorithm");

#define FINGERPRINT_ATTRIBUTE_LEN (STUN_ATTRIBUTE_HEADER_LEN + STUN_FINGERPRINT_LEN)
// Templates are copied in pieces of this size.
#define PIECE_LEN 16

static_assert(STATELESS_TEMPLATE_MAX_LEN % PIECE_LEN == 0, "no piece sticks out");

static void begin_template(struct stun_builder *builder, struct stateless_template *template,
                           enum stun_class message_class)
{
    static const uint8_t no_transaction[STUN_TRANSACTION_ID_LEN];

    memset(template, 0, sizeof(*template));
    stun_builder_init(builder, template->bytes, sizeof(template->bytes), message_class, 0,
                      no_transaction);
}

static void end_template(struct stun_builder *builder, struct stateless_template *template,
                         const struct stateless_policy *policy)
{
    if (policy->software[0] != '\0')
        stun_add_string(builder, STUN_ATTRIBUTE_SOFTWARE, policy->software);
    template->len = (uint16_t)stun_builder_finish(builder);
    stun_add_u32(builder, STUN_ATTRIBUTE_FINGERPRINT, 0);
    assert(!builder->overflow);
}

// RFC 8489 section 6.3.1.1.
static void make_binding(struct stateless_template *template, const struct stateless_policy *policy,
                         enum ip_family family)
{
    const struct transport_address nobody = {.ip = {.family = family}};
    struct stun_builder builder;

    begin_template(&builder, template, STUN_CLASS_SUCCESS);
    template->changes_offset = (uint16_t)(builder.len + STUN_ATTRIBUTE_HEADER_LEN);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &nobody);
    end_template(&builder, template, policy);
}

static void make_challenge(struct stateless_template *template,
                           const struct stateless_policy *policy, unsigned error)
{
    uint8_t nonce[NONCE_LEN] = {0};
    struct stun_builder builder;

    nonce_write_prefix(&policy->nonce, nonce);
    begin_template(&builder, template, STUN_CLASS_ERROR);
    stun_add_error_code(&builder, error);
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, policy->realm);
    template->changes_offset =
        (uint16_t)(builder.len + STUN_ATTRIBUTE_HEADER_LEN + NONCE_PREFIX_LEN);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if ((policy->nonce.features & NONCE_FEATURE_PASSWORD_ALGORITHMS) != 0)
        stun_add_password_algorithms(&builder, offered_algorithms, OFFERED_COUNT);
    end_template(&builder, template, policy);
}

void stateless_answers_init(struct stateless_answers *answers,
                            const struct stateless_policy *policy)
{
    answers->policy = *policy;
    make_binding(&answers->binding_v4, policy, IP_FAMILY_V4);
    make_binding(&answers->binding_v6, policy, IP_FAMILY_V6);
    make_challenge(&answers->unauthenticated, policy, STUN_ERROR_UNAUTHENTICATED);
    make_challenge(&answers->stale_nonce, policy, STUN_ERROR_STALE_NONCE);
}

// What an answer takes from its request; read before it is written over it.
struct transaction {
    uint16_t type;
    uint64_t mask[2]; // cookie and transaction id: what addresses are masked with
    bool has_fingerprint;
};

static struct transaction transaction_of(const struct stun_message *message)
{
    struct transaction transaction = {
        .type = load_be16(message->bytes.data),
        .has_fingerprint = message->has_fingerprint,
    };

    memcpy(transaction.mask, message->bytes.data + 4, sizeof(transaction.mask));
    return transaction;
}

// A request's class is two zero bits in its type: the template's are put there. Returns the length.
static size_t copy_template(const struct stateless_template *template,
                            const struct transaction *transaction, uint8_t *buffer)
{
    size_t fingerprint_len = transaction->has_fingerprint ? FINGERPRINT_ATTRIBUTE_LEN : 0;
    size_t len = template->len + fingerprint_len;

    for (size_t offset = 0; offset < len; offset += PIECE_LEN)
        memcpy(buffer + offset, template->bytes + offset, PIECE_LEN);
    store_be16(buffer, transaction->type | load_be16(template->bytes));
    store_be16(buffer + 2, (uint16_t)(len - STUN_HEADER_LEN));
    memcpy(buffer + 4, transaction->mask, sizeof(transaction->mask));
    return len;
}

void stateless_seal(uint8_t *answer, size_t len)
{
    size_t covered_len = len - FINGERPRINT_ATTRIBUTE_LEN;

    store_be32(answer + covered_len + STUN_ATTRIBUTE_HEADER_LEN, fingerprint(answer, covered_len));
}

// RFC 8489 section 14.2. The family is in the template.
static void write_xor_address(const struct transport_address *address, const uint64_t mask[2],
                              uint8_t *value)
{
    uint32_t v4;
    uint64_t v6[2];

    store_be16(value + 2, address->port ^ (STUN_MAGIC_COOKIE >> 16));
    if (address->ip.family == IP_FAMILY_V4) {
        memcpy(&v4, address->ip.bytes, sizeof(v4));
        v4 ^= (uint32_t)mask[0];
        memcpy(value + 4, &v4, sizeof(v4));
        return;
    }
    memcpy(v6, address->ip.bytes, sizeof(v6));
    v6[0] ^= mask[0];
    v6[1] ^= mask[1];
    memcpy(value + 4, v6, sizeof(v6));
}

static size_t write_binding(const struct stateless_answers *answers,
                            const struct stun_message *message,
                            const struct transport_address *client, uint8_t *buffer)
{
    struct transaction transaction = transaction_of(message);
    const struct stateless_template *template =
        client->ip.family == IP_FAMILY_V4 ? &answers->binding_v4 : &answers->binding_v6;

    size_t len = copy_template(template, &transaction, buffer);

    write_xor_address(client, transaction.mask, buffer + template->changes_offset);
    return len;
}

static size_t write_challenge(const struct stateless_answers *answers,
                              const struct stateless_template *template,
                              const struct stun_message *message,
                              const struct transport_address *client, uint32_t now_s, uint16_t salt,
                              uint8_t *buffer)
{
    struct transaction transaction = transaction_of(message);
    size_t len = copy_template(template, &transaction, buffer);

    nonce_write_body(&answers->policy.nonce, client, now_s, salt,
                     buffer + template->changes_offset);
    return len;
}

size_t stateless_write_challenge(const struct stateless_answers *answers,
                                 const struct stun_message *message,
                                 const struct transport_address *client, unsigned error,
                                 uint32_t now_s, uint16_t salt, uint8_t *buffer, size_t capacity)
{
    const struct stateless_template *template =
        error == STUN_ERROR_STALE_NONCE ? &answers->stale_nonce : &answers->unauthenticated;
    size_t len;

    assert(capacity >= STATELESS_ANSWER_MAX_LEN);
    len = write_challenge(answers, template, message, client, now_s, salt, buffer);
    if (message->has_fingerprint)
        stateless_seal(buffer, len);
    return len;
}

// The answers that are given seldom are put together one attribute after the other.

static void begin_answer(struct stun_builder *builder, const struct stun_message *message,
                         uint8_t *buffer, size_t capacity)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN]; // the request may be in the buffer

    memcpy(transaction_id, message->transaction_id, sizeof(transaction_id));
    stun_builder_init(builder, buffer, capacity, STUN_CLASS_ERROR, message->method, transaction_id);
}

static size_t end_answer(struct stun_builder *builder, const struct stateless_policy *policy,
                         const struct stun_message *message)
{
    if (policy->software[0] != '\0')
        stun_add_string(builder, STUN_ATTRIBUTE_SOFTWARE, policy->software);
    if (message->has_fingerprint)
        stun_add_u32(builder, STUN_ATTRIBUTE_FINGERPRINT, 0);
    return stun_builder_finish(builder);
}

// RFC 8489 section 9.2.4: a 400 carries neither realm nor nonce.
static size_t write_bad_request(const struct stateless_policy *policy,
                                const struct stun_message *message, uint8_t *buffer,
                                size_t capacity)
{
    struct stun_builder builder;

    begin_answer(&builder, message, buffer, capacity);
    stun_add_error_code(&builder, STUN_ERROR_BAD_REQUEST);
    return end_answer(&builder, policy, message);
}

// RFC 8489 section 6.3.1.
static size_t write_unknown_attributes(const struct stateless_policy *policy,
                                       const struct stun_message *message, uint8_t *buffer,
                                       size_t capacity)
{
    struct stun_builder builder;

    begin_answer(&builder, message, buffer, capacity);
    stun_add_error_code(&builder, STUN_ERROR_UNKNOWN_ATTRIBUTE);
    stun_add_unknown_attributes(&builder, message->unknown, message->unknown_count);
    return end_answer(&builder, policy, message);
}

static bool has_username(const struct stun_message *message)
{
    struct span username;
    const uint8_t *userhash;

    return stun_message_string(message, STUN_ATTRIBUTE_USERNAME, &username) == STUN_VALUE_OK ||
           stun_message_userhash(message, &userhash) == STUN_VALUE_OK;
}

static bool is_offered(uint16_t algorithm)
{
    for (unsigned i = 0; i < OFFERED_COUNT; i++) {
        if (offered_algorithms[i] == algorithm)
            return true;
    }
    return false;
}

// RFC 8489 section 9.2.4, third check: both attributes or none; the list exactly as we sent it, the
// choice out of it.
static bool algorithms_acceptable(const struct stun_message *message)
{
    struct span list;
    uint16_t algorithm;
    bool has_list = stun_message_find(message, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS, &list);
    enum stun_value choice = stun_message_password_algorithm(message, &algorithm);

    if (!has_list && choice == STUN_VALUE_ABSENT)
        return true;
    return has_list && list.len == sizeof(offered_value) &&
           memcmp(list.data, offered_value, sizeof(offered_value)) == 0 &&
           choice == STUN_VALUE_OK && is_offered(algorithm);
}

// The checks of RFC 8489 section 9.2.4, in its order, but for those that need to know the user.
static enum stateless_verdict check_credentials(const struct stateless_policy *policy,
                                                const struct stun_message *message,
                                                const struct transport_address *client,
                                                uint32_t now_s)
{
    struct span realm;
    struct span nonce;
    uint32_t features;

    if (message->integrity_offset == 0 && message->integrity_sha256_offset == 0)
        return STATELESS_UNAUTHENTICATED;
    if (!has_username(message) ||
        stun_message_string(message, STUN_ATTRIBUTE_REALM, &realm) != STUN_VALUE_OK ||
        stun_message_string(message, STUN_ATTRIBUTE_NONCE, &nonce) != STUN_VALUE_OK)
        return STATELESS_BAD_REQUEST;
    if (nonce_read_features(nonce, &features) &&
        (features & NONCE_FEATURE_PASSWORD_ALGORITHMS) != 0 && !algorithms_acceptable(message))
        return STATELESS_BAD_REQUEST;
    if (nonce_verify(&policy->nonce, client, now_s, nonce) != NONCE_VALID)
        return STATELESS_STALE_NONCE;
    return STATELESS_PASS;
}

static enum stateless_verdict classify_request(const struct stateless_policy *policy,
                                               const struct stun_message *message,
                                               const struct transport_address *client,
                                               uint32_t now_s)
{
    switch (message->method) {
    case STUN_METHOD_BINDING:
        return message->unknown_count == 0 ? STATELESS_BINDING : STATELESS_UNKNOWN_ATTRIBUTE;
    case STUN_METHOD_ALLOCATE:
    case STUN_METHOD_REFRESH:
    case STUN_METHOD_CREATE_PERMISSION:
    case STUN_METHOD_CHANNEL_BIND:
        return check_credentials(policy, message, client, now_s);
    default:
        return STATELESS_IGNORED;
    }
}

// Which methods have which classes: RFC 8656 section 17.
static enum stateless_verdict classify(const struct stateless_policy *policy,
                                       const struct stun_message *message,
                                       const struct transport_address *client, uint32_t now_s)
{
    if (message->message_class == STUN_CLASS_REQUEST)
        return classify_request(policy, message, client, now_s);
    // RFC 8489 section 6.3.2: an indication with an unknown comprehension-required attribute is
    // discarded.
    if (message->message_class == STUN_CLASS_INDICATION && message->method == STUN_METHOD_SEND &&
        message->unknown_count == 0)
        return STATELESS_INDICATION;
    return STATELESS_IGNORED;
}

enum stateless_verdict stateless_prepare(const struct stateless_answers *answers,
                                         const struct stun_message *message,
                                         const struct transport_address *client, uint32_t now_s,
                                         uint16_t salt, uint8_t *buffer, size_t capacity,
                                         size_t *ret_len)
{
    const struct stateless_policy *policy = &answers->policy;
    enum stateless_verdict verdict = classify(policy, message, client, now_s);

    assert(capacity >= STATELESS_ANSWER_MAX_LEN);
    switch (verdict) {
    case STATELESS_BINDING:
        *ret_len = write_binding(answers, message, client, buffer);
        break;
    case STATELESS_BAD_REQUEST:
        *ret_len = write_bad_request(policy, message, buffer, capacity);
        break;
    case STATELESS_UNKNOWN_ATTRIBUTE:
        *ret_len = write_unknown_attributes(policy, message, buffer, capacity);
        break;
    case STATELESS_UNAUTHENTICATED:
        *ret_len = write_challenge(answers, &answers->unauthenticated, message, client, now_s, salt,
                                   buffer);
        break;
    case STATELESS_STALE_NONCE:
        *ret_len =
            write_challenge(answers, &answers->stale_nonce, message, client, now_s, salt, buffer);
        break;
    default:
        break;
    }
    return verdict;
}

enum stateless_verdict stateless_process(const struct stateless_answers *answers,
                                         const struct stun_message *message,
                                         const struct transport_address *client, uint32_t now_s,
                                         uint16_t salt, uint8_t *buffer, size_t capacity,
                                         size_t *ret_len)
{
    enum stateless_verdict verdict =
        stateless_prepare(answers, message, client, now_s, salt, buffer, capacity, ret_len);

    if (stateless_is_answer(verdict) && message->has_fingerprint)
        stateless_seal(buffer, *ret_len);
    return verdict;
}
