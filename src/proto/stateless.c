// SPDX-License-Identifier: BSD-3-Clause
// What can be answered from the message and the nonce key alone (RFC 8489 sections 6.3.1, 9.2.4,
// 12).
#include "proto/stateless.h"

#include "base/checksum.h"
#include "proto/builder.h"
#include "proto/fold.h"

// What we offer, in order of preference (RFC 8489 section 9.2.4), and the bytes of that
// PASSWORD-ALGORITHMS value.
static const uint16_t offered_algorithms[] = {STUN_PASSWORD_ALGORITHM_SHA256,
                                              STUN_PASSWORD_ALGORITHM_MD5};
static const uint8_t offered_value[] = {0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00};

#define OFFERED_COUNT (sizeof(offered_algorithms) / sizeof(offered_algorithms[0]))

static_assert(sizeof(offered_value) == 4 * OFFERED_COUNT, "one entry an algorithm");

#define FINGERPRINT_ATTRIBUTE_LEN (STUN_ATTRIBUTE_HEADER_LEN + STUN_FINGERPRINT_LEN)
// Of the words that change, those that an IPv4 address takes.
#define IPV4_WORDS 1
// Templates are copied in pieces of this size. No answer is shorter: the shortest tells an IPv4
// client its address.
#define PIECE_LEN 32

static_assert(STUN_HEADER_LEN + STUN_ATTRIBUTE_HEADER_LEN + 8 >= PIECE_LEN, "one fits");

static void begin_template(struct stun_builder *builder, struct stateless_template *template,
                           enum stun_class message_class)
{
    static const uint8_t no_transaction[STUN_TRANSACTION_ID_LEN];

    memset(template, 0, sizeof(*template));
    stun_builder_init(builder, template->bytes, sizeof(template->bytes), message_class, 0,
                      no_transaction);
}

// Of the words, in ascending order.
static void get_offsets(const struct stateless_template *template, unsigned count,
                        uint16_t ret_offsets[STATELESS_WORDS])
{
    for (unsigned i = 0; i < count; i++) {
        size_t base = i < STATELESS_HEADER_WORDS ? 0 : template->changes_offset;

        ret_offsets[i] = (uint16_t)(base + i % STATELESS_HEADER_WORDS * sizeof(uint64_t));
    }
}

static uint64_t load_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static void store_word(uint8_t *bytes, uint64_t word)
{
    memcpy(bytes, &word, sizeof(word));
}

static void set_form(struct stateless_template *template, unsigned word_count, bool has_fingerprint,
                     size_t len)
{
    struct stateless_form *form = &template->forms[has_fingerprint];
    uint16_t offsets[STATELESS_WORDS];
    uint64_t words_sum = 0;

    store_be16(template->bytes + 2, (uint16_t)(len - STUN_HEADER_LEN));
    memcpy(&form->start, template->bytes, sizeof(form->start));
    form->len = (uint16_t)len;
    get_offsets(template, word_count, offsets);
    for (unsigned i = 0; i < word_count; i++)
        words_sum = checksum_add_8_bytes(words_sum, template->bytes + offsets[i]);
    form->rest_sum =
        checksum_fold(checksum_add_bytes(0, template->bytes, len) + checksum_negate(words_sum));
}

static void end_template(struct stun_builder *builder, struct stateless_template *template,
                         const struct stateless_policy *policy, unsigned changed_words)
{
    unsigned word_count = STATELESS_HEADER_WORDS + changed_words;
    uint16_t offsets[STATELESS_WORDS];
    size_t len;

    if (policy->software[0] != '\0')
        stun_add_string(builder, STUN_ATTRIBUTE_SOFTWARE, policy->software);
    len = stun_builder_finish(builder);
    stun_add_u32(builder, STUN_ATTRIBUTE_FINGERPRINT, 0);
    assert(!builder->overflow);
    set_form(template, word_count, false, len);
    set_form(template, word_count, true, len + FINGERPRINT_ATTRIBUTE_LEN);
    get_offsets(template, word_count, offsets);
    fingerprint_plan_init(template->bytes, len, offsets, word_count, &template->plan);
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
    end_template(&builder, template, policy,
                 family == IP_FAMILY_V4 ? IPV4_WORDS : STATELESS_CHANGED_WORDS);
}

static void make_challenge(struct stateless_template *template,
                           const struct stateless_policy *policy, unsigned error)
{
    const struct transport_address nobody = {.ip = {.family = IP_FAMILY_V4}};
    uint8_t nonce[NONCE_LEN];
    struct stun_builder builder;

    nonce_mint(&policy->nonce, &nobody, 0, 0, nonce);
    begin_template(&builder, template, STUN_CLASS_ERROR);
    stun_add_error_code(&builder, error);
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, policy->realm);
    template->changes_offset =
        (uint16_t)(builder.len + STUN_ATTRIBUTE_HEADER_LEN + NONCE_END_OFFSET);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    if ((policy->nonce.features & NONCE_FEATURE_PASSWORD_ALGORITHMS) != 0)
        stun_add_password_algorithms(&builder, offered_algorithms, OFFERED_COUNT);
    end_template(&builder, template, policy, STATELESS_CHANGED_WORDS);
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
    uint64_t first;  // type, length, cookie
    uint64_t second; // transaction id
    uint32_t third;
    bool has_fingerprint;
};

static inline struct transaction transaction_of(const struct stun_message *message)
{
    struct transaction transaction = {
        .first = load_word(message->bytes.data),
        .second = load_word(message->bytes.data + 8),
        .has_fingerprint = message->has_fingerprint,
    };

    memcpy(&transaction.third, message->bytes.data + 16, sizeof(transaction.third));
    return transaction;
}

// The words of one answer. They are kept in registers: what has just been stored in pieces is
// waited for.
struct words {
    uint64_t header[STATELESS_HEADER_WORDS];
    uint64_t changed[STATELESS_CHANGED_WORDS];
};

// A request's class is two zero bits in its type: the template's are put there. The third word ends
// with the first attribute's header.
static inline void set_header(const struct stateless_template *template,
                              const struct transaction *transaction, struct words *words)
{
    const uint64_t type_and_cookie = 0xFFFFFFFF0000FFFF;

    words->header[0] = (transaction->first & type_and_cookie) |
                       template->forms[transaction->has_fingerprint].start;
    words->header[1] = transaction->second;
    words->header[2] = load_word(template->bytes + 16) | transaction->third;
}

// changed_words: a constant where these are inlined.
static inline __attribute__((always_inline)) uint64_t sum_of(const struct words *words,
                                                             unsigned changed_words)
{
    uint64_t sum = checksum_carry_u64(words->header[0], words->header[1]);

    sum = checksum_carry_u64(sum, words->header[2]);
    for (unsigned i = 0; i < changed_words; i++)
        sum = checksum_carry_u64(sum, words->changed[i]);
    return checksum_add_u64(0, sum);
}

// RFC 8489 section 14.7. message: all that it covers.
static inline __attribute__((always_inline)) uint32_t
fingerprint_of(const struct stateless_template *template, const struct words *words,
               unsigned changed_words, const uint8_t *message)
{
#ifdef FOLD_IS_KNOWN
    const struct fingerprint_plan *plan = &template->plan;

    if (plan->is_made) {
        __m128i even = _mm_xor_si128(fold_word(plan, 0, words->header[0]),
                                     fold_word(plan, 2, words->header[2]));
        __m128i odd = _mm_xor_si128(fold_word(plan, 1, words->header[1]),
                                    fold_word(plan, 3, words->changed[0]));

        if (changed_words > IPV4_WORDS) {
            even = _mm_xor_si128(even, fold_word(plan, 4, words->changed[1]));
            odd = _mm_xor_si128(odd, fold_word(plan, 5, words->changed[2]));
        }
        return plan->rest ^ fold_reduce(_mm_xor_si128(even, odd));
    }
#endif
    (void)words;
    (void)changed_words;
    return fingerprint(message, template->forms[0].len);
}

// All but the first two words, at least. The last piece ends where the answer does: whoever has
// brought here the lines that it takes has brought no more.
static inline void copy_template(const struct stateless_template *template, size_t len,
                                 uint8_t *buffer)
{
    for (size_t offset = 16; offset + PIECE_LEN < len; offset += PIECE_LEN)
        memcpy(buffer + offset, template->bytes + offset, PIECE_LEN);
    memcpy(buffer + len - PIECE_LEN, template->bytes + len - PIECE_LEN, PIECE_LEN);
}

static inline __attribute__((always_inline)) void
write_words(const struct stateless_template *template, const struct transaction *transaction,
            const struct words *words, unsigned changed_words, uint8_t *buffer,
            struct stateless_reply *ret_reply)
{
    const struct stateless_form *form = &template->forms[transaction->has_fingerprint];
    uint8_t *changes = buffer + template->changes_offset;
    uint64_t sum = form->rest_sum + sum_of(words, changed_words);
    size_t len = form->len;

    copy_template(template, len, buffer);
    store_word(buffer, words->header[0]);
    store_word(buffer + 8, words->header[1]);
    store_word(buffer + 16, words->header[2]);
    for (unsigned i = 0; i < changed_words; i++)
        store_word(changes + i * sizeof(uint64_t), words->changed[i]);
    if (transaction->has_fingerprint) {
        uint32_t value = __builtin_bswap32(fingerprint_of(template, words, changed_words, buffer));

        memcpy(buffer + len - sizeof(value), &value, sizeof(value));
        sum += value;
    }
    ret_reply->sum = sum;
    ret_reply->len = (uint16_t)len;
}

// RFC 8489 section 14.2. In the template there is the address that is all zeros, masked with the
// cookie and a transaction id of zeros.

static inline void write_binding_v4(const struct stateless_answers *answers,
                                    const struct stun_message *message,
                                    const struct transport_address *client, uint8_t *buffer,
                                    struct stateless_reply *ret_reply)
{
    const struct stateless_template *template = &answers->binding_v4;
    struct transaction transaction = transaction_of(message);
    uint64_t port = (uint64_t)__builtin_bswap16(client->port) << 16;
    struct words words;
    uint32_t ip;

    memcpy(&ip, client->ip.bytes, sizeof(ip));
    set_header(template, &transaction, &words);
    words.changed[0] =
        load_word(template->bytes + template->changes_offset) ^ (port | (uint64_t)ip << 32);
    write_words(template, &transaction, &words, IPV4_WORDS, buffer, ret_reply);
}

static inline void write_binding_v6(const struct stateless_answers *answers,
                                    const struct stun_message *message,
                                    const struct transport_address *client, uint8_t *buffer,
                                    struct stateless_reply *ret_reply)
{
    const struct stateless_template *template = &answers->binding_v6;
    const uint8_t *changes = template->bytes + template->changes_offset;
    struct transaction transaction = transaction_of(message);
    uint64_t port = (uint64_t)__builtin_bswap16(client->port) << 16;
    struct words words;
    uint64_t ip[2];

    memcpy(ip, client->ip.bytes, sizeof(ip));
    set_header(template, &transaction, &words);
    words.changed[0] = load_word(changes) ^ (port | ip[0] << 32);
    words.changed[1] = load_word(changes + 8) ^ (ip[0] >> 32 | ip[1] << 32) ^ transaction.second;
    words.changed[2] = load_word(changes + 16) ^ (ip[1] >> 32) ^ transaction.third;
    write_words(template, &transaction, &words, STATELESS_CHANGED_WORDS, buffer, ret_reply);
}

static inline void write_challenge(const struct stateless_answers *answers, bool is_stale,
                                   const struct stun_message *message,
                                   const struct transport_address *client,
                                   const struct nonce_stamp *stamp, uint8_t *buffer,
                                   struct stateless_reply *ret_reply)
{
    const struct stateless_template *template =
        is_stale ? &answers->stale_nonce : &answers->unauthenticated;
    struct transaction transaction = transaction_of(message);
    struct words words;

    set_header(template, &transaction, &words);
    nonce_end(stamp, client, words.changed);
    write_words(template, &transaction, &words, STATELESS_CHANGED_WORDS, buffer, ret_reply);
}

size_t stateless_write_challenge(const struct stateless_answers *answers,
                                 const struct stun_message *message,
                                 const struct transport_address *client, unsigned error,
                                 uint32_t now_s, uint16_t salt, uint8_t *buffer, size_t capacity)
{
    bool is_stale = error == STUN_ERROR_STALE_NONCE;
    struct stateless_reply reply;
    struct nonce_stamp stamp;

    assert(capacity >= STATELESS_ANSWER_MAX_LEN);
    nonce_stamp_init(&answers->policy.nonce, now_s, salt, &stamp);
    write_challenge(answers, is_stale, message, client, &stamp, buffer, &reply);
    return reply.len;
}

// The answers that are given seldom are put together one attribute after the other.

static void begin_answer(struct stun_builder *builder, const struct stun_message *message,
                         uint8_t *buffer, size_t capacity)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_LEN]; // the request may be in the buffer

    memcpy(transaction_id, message->transaction_id, sizeof(transaction_id));
    stun_builder_init(builder, buffer, capacity, STUN_CLASS_ERROR, message->method, transaction_id);
}

static void end_answer(struct stun_builder *builder, const struct stateless_policy *policy,
                       bool has_fingerprint, struct stateless_reply *ret_reply)
{
    if (policy->software[0] != '\0')
        stun_add_string(builder, STUN_ATTRIBUTE_SOFTWARE, policy->software);
    if (has_fingerprint)
        stun_add_fingerprint(builder);
    ret_reply->len = (uint16_t)stun_builder_finish(builder);
    ret_reply->sum = checksum_add_bytes(0, builder->buffer, ret_reply->len);
}

// RFC 8489 section 9.2.4: a 400 carries neither realm nor nonce.
static void write_bad_request(const struct stateless_policy *policy,
                              const struct stun_message *message, uint8_t *buffer, size_t capacity,
                              struct stateless_reply *ret_reply)
{
    struct stun_builder builder;

    begin_answer(&builder, message, buffer, capacity);
    stun_add_error_code(&builder, STUN_ERROR_BAD_REQUEST);
    end_answer(&builder, policy, message->has_fingerprint, ret_reply);
}

// RFC 8489 section 6.3.1.
static void write_unknown_attributes(const struct stateless_policy *policy,
                                     const struct stun_message *message, uint8_t *buffer,
                                     size_t capacity, struct stateless_reply *ret_reply)
{
    struct stun_builder builder;

    begin_answer(&builder, message, buffer, capacity);
    stun_add_error_code(&builder, STUN_ERROR_UNKNOWN_ATTRIBUTE);
    stun_add_unknown_attributes(&builder, message->unknown, message->unknown_count);
    end_answer(&builder, policy, message->has_fingerprint, ret_reply);
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
    case STUN_METHOD_CONNECT:
    case STUN_METHOD_CONNECTION_BIND:
        return check_credentials(policy, message, client, now_s);
    default:
        return STATELESS_IGNORED;
    }
}

// Which methods have which classes: RFC 8656 section 17, RFC 6062 section 6.1.
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

enum stateless_verdict stateless_reply(const struct stateless_answers *answers,
                                       const struct stun_message *message,
                                       const struct transport_address *client,
                                       const struct nonce_stamp *stamp, uint8_t *buffer,
                                       size_t capacity, struct stateless_reply *ret_reply)
{
    const struct stateless_policy *policy = &answers->policy;
    enum stateless_verdict verdict = classify(policy, message, client, stamp->minted_s);

    assert(capacity >= STATELESS_ANSWER_MAX_LEN);
    switch (verdict) {
    case STATELESS_BINDING:
        if (client->ip.family == IP_FAMILY_V4)
            write_binding_v4(answers, message, client, buffer, ret_reply);
        else
            write_binding_v6(answers, message, client, buffer, ret_reply);
        break;
    case STATELESS_BAD_REQUEST:
        write_bad_request(policy, message, buffer, capacity, ret_reply);
        break;
    case STATELESS_UNKNOWN_ATTRIBUTE:
        write_unknown_attributes(policy, message, buffer, capacity, ret_reply);
        break;
    case STATELESS_UNAUTHENTICATED:
    case STATELESS_STALE_NONCE:
        write_challenge(answers, verdict == STATELESS_STALE_NONCE, message, client, stamp, buffer,
                        ret_reply);
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
    enum stateless_verdict verdict;
    struct stateless_reply reply;
    struct nonce_stamp stamp;

    nonce_stamp_init(&answers->policy.nonce, now_s, salt, &stamp);
    verdict = stateless_reply(answers, message, client, &stamp, buffer, capacity, &reply);
    if (stateless_is_answer(verdict))
        *ret_len = reply.len;
    return verdict;
}
