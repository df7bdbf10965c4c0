// SPDX-License-Identifier: BSD-3-Clause
// The stateless answers: who gets which, and what is in them (RFC 8489 sections 6.3, 9.2.4).
#include "proto/stateless.h"

#include "base/checksum.h"
#include "proto/integrity.h"
#include "support.h"

#include <stdlib.h>

#define NOW_S 5000
#define SALT  77
#define REALM "turn.example"

static const uint8_t offered_algorithms[] = {0, 2, 0, 0, 0, 1, 0, 0};

static struct stateless_policy policy_of(uint32_t features)
{
    return (struct stateless_policy){
        .nonce = {.current = {.mac = {{1, 2}}, .id = 9},
                  .previous = {.mac = {{1, 2}}, .id = 9},
                  .lifetime_s = 600,
                  .features = features},
        .realm = REALM,
        .software = "turnpike",
    };
}

static struct stateless_policy usual_policy(void)
{
    return policy_of(NONCE_FEATURE_PASSWORD_ALGORITHMS | NONCE_FEATURE_USERNAME_ANONYMITY);
}

static struct transport_address client(void)
{
    struct transport_address address;

    assert_int_equal(transport_address_parse("192.0.2.1:5000", &address), 0);
    return address;
}

// What a request is made of; zero is a plain Allocate without credentials.
struct request {
    enum stun_class message_class;
    uint16_t method;
    const char *username;
    size_t userhash_len;
    const char *realm;
    const uint8_t *nonce; // NONCE_LEN bytes
    const char *text_nonce;
    const uint8_t *algorithms;
    size_t algorithms_len;
    const uint8_t *algorithm;
    size_t algorithm_len;
    unsigned unknown_count;
    bool integrity;
    bool integrity_sha256;
    bool fingerprint;
};

static void add_credentials(struct stun_builder *builder, const struct request *request)
{
    static const uint8_t userhash[64];

    if (request->username != NULL)
        stun_add_string(builder, STUN_ATTRIBUTE_USERNAME, request->username);
    if (request->userhash_len != 0)
        stun_add_bytes(builder, STUN_ATTRIBUTE_USERHASH, userhash, request->userhash_len);
    if (request->realm != NULL)
        stun_add_string(builder, STUN_ATTRIBUTE_REALM, request->realm);
    if (request->nonce != NULL)
        stun_add_bytes(builder, STUN_ATTRIBUTE_NONCE, request->nonce, NONCE_LEN);
    if (request->text_nonce != NULL)
        stun_add_string(builder, STUN_ATTRIBUTE_NONCE, request->text_nonce);
    if (request->algorithms != NULL)
        stun_add_bytes(builder, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS, request->algorithms,
                       request->algorithms_len);
    if (request->algorithm != NULL)
        stun_add_bytes(builder, STUN_ATTRIBUTE_PASSWORD_ALGORITHM, request->algorithm,
                       request->algorithm_len);
}

static struct stun_message make(const struct request *request, uint8_t *buffer, size_t capacity)
{
    static const struct integrity_key key = {.len = 16};
    struct stun_builder builder;

    stun_builder_init(&builder, buffer, capacity, request->message_class,
                      request->method != 0 ? request->method : STUN_METHOD_ALLOCATE,
                      test_transaction_id);
    for (unsigned i = 0; i < request->unknown_count; i++)
        stun_add_flag(&builder, (uint16_t)(0x4000 + i));
    add_credentials(&builder, request);
    if (request->integrity)
        stun_add_message_integrity(&builder, &key);
    if (request->integrity_sha256)
        stun_add_message_integrity_sha256(&builder, &key);
    if (request->fingerprint)
        stun_add_fingerprint(&builder);
    return parse_built(&builder);
}

struct outcome {
    enum stateless_verdict verdict;
    size_t len;
    uint8_t bytes[STATELESS_ANSWER_MAX_LEN];
};

static struct outcome process(const struct stateless_policy *policy, const struct request *request)
{
    uint8_t buffer[1024];
    struct stun_message message = make(request, buffer, sizeof(buffer));
    struct transport_address from = client();
    struct stateless_answers answers;
    struct outcome outcome = {.len = 0};

    stateless_answers_init(&answers, policy);
    outcome.verdict = stateless_process(&answers, &message, &from, NOW_S, SALT, outcome.bytes,
                                        sizeof(outcome.bytes), &outcome.len);
    assert_int_equal(outcome.len != 0, stateless_is_answer(outcome.verdict));
    return outcome;
}

static struct stun_message answer_of(const struct outcome *outcome)
{
    struct stun_message answer = parse_valid((struct span){outcome->bytes, outcome->len});

    assert_memory_equal(answer.transaction_id, test_transaction_id, STUN_TRANSACTION_ID_LEN);
    return answer;
}

static unsigned error_of(const struct stun_message *answer)
{
    struct span reason;
    unsigned error = 0;

    assert_int_equal(stun_message_error_code(answer, &error, &reason), STUN_VALUE_OK);
    return error;
}

// The outcome of a request is this verdict, and nothing is sent.
static void assert_silent(const struct request *request, enum stateless_verdict verdict)
{
    struct stateless_policy policy = usual_policy();

    assert_int_equal(process(&policy, request).verdict, verdict);
    assert_false(stateless_is_answer(verdict));
}

static void assert_challenge(const struct stateless_policy *policy,
                             const struct stun_message *answer, unsigned error)
{
    bool offers = (policy->nonce.features & NONCE_FEATURE_PASSWORD_ALGORITHMS) != 0;
    struct transport_address to = client();
    struct span text;

    assert_int_equal(answer->message_class, STUN_CLASS_ERROR);
    assert_int_equal(error_of(answer), error);
    assert_int_equal(stun_message_string(answer, STUN_ATTRIBUTE_REALM, &text), STUN_VALUE_OK);
    assert_span_equal(text, REALM, strlen(REALM));
    assert_int_equal(stun_message_string(answer, STUN_ATTRIBUTE_NONCE, &text), STUN_VALUE_OK);
    assert_int_equal(nonce_verify(&policy->nonce, &to, NOW_S, text), NONCE_VALID);
    assert_int_equal(stun_message_find(answer, STUN_ATTRIBUTE_PASSWORD_ALGORITHMS, &text), offers);
    if (offers)
        assert_span_equal(text, offered_algorithms, sizeof(offered_algorithms));
    assert_true(stun_message_has(answer, STUN_ATTRIBUTE_SOFTWARE));
    assert_false(stun_message_has(answer, STUN_ATTRIBUTE_USERNAME));
    assert_false(stun_message_has(answer, STUN_ATTRIBUTE_USERHASH));
    assert_false(stun_message_has(answer, STUN_ATTRIBUTE_MESSAGE_INTEGRITY));
    assert_false(stun_message_has(answer, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256));
}

static void assert_bad_request(const struct request *request)
{
    struct stateless_policy policy = usual_policy();
    struct outcome outcome = process(&policy, request);
    struct stun_message answer;

    assert_int_equal(outcome.verdict, STATELESS_BAD_REQUEST);
    answer = answer_of(&outcome);
    assert_int_equal(answer.message_class, STUN_CLASS_ERROR);
    assert_int_equal(error_of(&answer), STUN_ERROR_BAD_REQUEST);
    assert_false(stun_message_has(&answer, STUN_ATTRIBUTE_REALM));
    assert_false(stun_message_has(&answer, STUN_ATTRIBUTE_NONCE));
    assert_true(stun_message_has(&answer, STUN_ATTRIBUTE_SOFTWARE));
}

// A nonce that our client may use now.
struct fresh_nonce {
    uint8_t bytes[NONCE_LEN];
};

static struct fresh_nonce fresh(const struct stateless_policy *policy)
{
    struct transport_address to = client();
    struct fresh_nonce nonce;

    nonce_mint(&policy->nonce, &to, NOW_S, SALT, nonce.bytes);
    return nonce;
}

// A request as a client of RFC 5389 sends it after a 401.
static struct request with_credentials(const struct fresh_nonce *nonce)
{
    return (struct request){
        .username = "user", .realm = REALM, .nonce = nonce->bytes, .integrity = true};
}

// The same answer, whether it is written over its request or elsewhere.
static void answers_in_the_buffer_of_the_request(void **state)
{
    static const struct request requests[] = {
        {.method = STUN_METHOD_BINDING, .fingerprint = true},
        {.method = STUN_METHOD_BINDING, .unknown_count = STUN_MESSAGE_UNKNOWN_MAX},
        {.method = STUN_METHOD_REFRESH},
        {.username = "user", .integrity = true}, // 400
        {.username = "user", .realm = REALM, .text_nonce = "old", .integrity = true},
    };
    struct stateless_policy policy = usual_policy();
    struct transport_address from = client();
    struct stateless_answers answers;

    (void)state;
    stateless_answers_init(&answers, &policy);
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct outcome apart = process(&policy, &requests[i]);
        uint8_t buffer[1024];
        struct stun_message message = make(&requests[i], buffer, sizeof(buffer));
        size_t len;

        assert_true(stateless_is_answer(apart.verdict));
        assert_int_equal(
            stateless_process(&answers, &message, &from, NOW_S, SALT, buffer, sizeof(buffer), &len),
            apart.verdict);
        assert_int_equal(len, apart.len);
        assert_memory_equal(buffer, apart.bytes, len);
    }
}

// What the general way makes of it: one attribute after the other.
static size_t build_expected(const struct stateless_policy *policy,
                             const struct stun_message *message, const struct transport_address *to,
                             unsigned error, uint8_t *buffer)
{
    static const uint16_t algorithms[] = {STUN_PASSWORD_ALGORITHM_SHA256,
                                          STUN_PASSWORD_ALGORITHM_MD5};
    struct stun_builder builder;
    uint8_t nonce[NONCE_LEN];

    stun_builder_init(&builder, buffer, STATELESS_ANSWER_MAX_LEN,
                      error == 0 ? STUN_CLASS_SUCCESS : STUN_CLASS_ERROR, message->method,
                      message->transaction_id);
    if (error == 0) {
        stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, to);
    } else {
        nonce_mint(&policy->nonce, to, NOW_S, SALT, nonce);
        stun_add_error_code(&builder, error);
        stun_add_string(&builder, STUN_ATTRIBUTE_REALM, policy->realm);
        stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
        if ((policy->nonce.features & NONCE_FEATURE_PASSWORD_ALGORITHMS) != 0)
            stun_add_password_algorithms(&builder, algorithms, 2);
    }
    if (policy->software[0] != '\0')
        stun_add_string(&builder, STUN_ATTRIBUTE_SOFTWARE, policy->software);
    if (message->has_fingerprint)
        stun_add_fingerprint(&builder);
    return stun_builder_finish(&builder);
}

static struct transport_address any_address(void)
{
    enum ip_family family = rand() % 2 == 0 ? IP_FAMILY_V4 : IP_FAMILY_V6;
    uint8_t bytes[16];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    return (struct transport_address){ip_address_from_bytes(family, bytes), (uint16_t)rand()};
}

static struct stateless_policy any_policy(void)
{
    struct stateless_policy policy = policy_of((uint32_t)rand() & 0xFFFFFF);

    memset(policy.realm, 0, sizeof(policy.realm));
    memset(policy.realm, 'r', 1 + (size_t)rand() % STATELESS_TEXT_MAX_LEN);
    memset(policy.software, 0, sizeof(policy.software));
    if (rand() % 4 > 0)
        memset(policy.software, 's', (size_t)rand() % (STATELESS_TEXT_MAX_LEN + 1));
    return policy;
}

// With its FINGERPRINT, if it has one, made anew.
static struct stun_message parse_changed(uint8_t *bytes)
{
    size_t len = STUN_HEADER_LEN + load_be16(bytes + 2);
    size_t covered_len = len - 8;

    if (len > STUN_HEADER_LEN && load_be16(bytes + covered_len) == STUN_ATTRIBUTE_FINGERPRINT)
        store_be32(bytes + covered_len + 4, fingerprint(bytes, covered_len));
    return parse_valid((struct span){bytes, len});
}

// And what is said to be its checksum, which nobody computes again, is.
static void answers_byte_for_byte_as_the_builder_does(void **state)
{
    static const uint16_t methods[] = {STUN_METHOD_BINDING,        STUN_METHOD_ALLOCATE,
                                       STUN_METHOD_REFRESH,        STUN_METHOD_CREATE_PERMISSION,
                                       STUN_METHOD_CHANNEL_BIND,   STUN_METHOD_CONNECT,
                                       STUN_METHOD_CONNECTION_BIND};

    (void)state;
    srand(5);
    for (unsigned i = 0; i < 4000; i++) {
        struct stateless_policy policy = any_policy();
        bool has_forged_nonce = i % 3 == 0;
        struct request request = {
            .method = methods[(unsigned)rand() % 5],
            .username = has_forged_nonce ? "user" : NULL,
            .realm = has_forged_nonce ? REALM : NULL,
            .text_nonce = has_forged_nonce ? "old" : NULL,
            .integrity = has_forged_nonce,
            .fingerprint = rand() % 2 == 0,
        };
        unsigned error = request.method == STUN_METHOD_BINDING ? 0 : has_forged_nonce ? 438 : 401;
        uint8_t buffer[1024], expected[STATELESS_ANSWER_MAX_LEN];
        struct stun_message message;
        struct transport_address from = any_address();
        struct stateless_answers answers;
        struct stateless_reply reply;
        struct nonce_stamp stamp;
        uint64_t mac;
        uint32_t ip;
        size_t len;

        make(&request, buffer, sizeof(buffer));
        for (unsigned at = 8; at < STUN_HEADER_LEN; at++)
            buffer[at] = (uint8_t)rand(); // the transaction id
        message = parse_changed(buffer);
        len = build_expected(&policy, &message, &from, error, expected);
        stateless_answers_init(&answers, &policy);
        nonce_stamp_init(&policy.nonce, NOW_S, SALT, &stamp);
        if (from.ip.family == IP_FAMILY_V4 && rand() % 2 == 0) {
            memcpy(&ip, from.ip.bytes, sizeof(ip));
            mac = nonce_ipv4_client(ip, from.port);
            nonce_macs(&stamp, &mac, 1, &mac);
            stamp.made_mac = &mac;
        }
        assert_true(stateless_is_answer(
            stateless_reply(&answers, &message, &from, &stamp, buffer, sizeof(buffer), &reply)));
        assert_int_equal(reply.len, len);
        assert_memory_equal(buffer, expected, len);
        assert_int_equal(checksum_fold(reply.sum),
                         checksum_fold(checksum_add_bytes(0, expected, len)));
    }
}

// A worker has fetched the lines that an answer takes, and no others. (The shortest, to an IPv4
// client and without SOFTWARE, ends before its last two words do.)
static void writes_nothing_behind_the_end_of_an_answer(void **state)
{
    const struct transport_address from = client();

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct stateless_policy policy = usual_policy();
        const struct request request = {.method =
                                            i % 2 == 0 ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE,
                                        .fingerprint = i >= 2};
        for (unsigned software_len = 12; software_len < 76; software_len++) {
            uint8_t buffer[STATELESS_ANSWER_MAX_LEN], request_bytes[512];
            struct stun_message message = make(&request, request_bytes, sizeof(request_bytes));
            struct stateless_answers answers;
            size_t len = 0;

            memset(policy.software, 's', software_len);
            policy.software[software_len] = '\0';
            stateless_answers_init(&answers, &policy);
            memset(buffer, 0xA5, sizeof(buffer));
            stateless_process(&answers, &message, &from, NOW_S, SALT, buffer, sizeof(buffer), &len);
            assert_in_range(len, 48, sizeof(buffer) - 64);
            for (size_t at = len; at < sizeof(buffer); at++)
                assert_int_equal(buffer[at], 0xA5);
        }
    }
}

static void answers_a_binding_request_with_the_clients_address(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request request = {.method = STUN_METHOD_BINDING};
    struct outcome outcome = process(&policy, &request);
    struct transport_address expected = client();
    struct transport_address mapped;
    struct stun_message answer;
    struct span software;

    (void)state;
    assert_int_equal(outcome.verdict, STATELESS_BINDING);
    answer = answer_of(&outcome);
    assert_int_equal(answer.message_class, STUN_CLASS_SUCCESS);
    assert_int_equal(answer.method, STUN_METHOD_BINDING);
    assert_int_equal(stun_message_xor_address(&answer, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped),
                     STUN_VALUE_OK);
    assert_true(transport_address_equal(&mapped, &expected));
    assert_int_equal(stun_message_string(&answer, STUN_ATTRIBUTE_SOFTWARE, &software),
                     STUN_VALUE_OK);
    assert_span_equal(software, "turnpike", 8);
    assert_false(answer.has_fingerprint);
}

static void answers_a_binding_request_whatever_credentials_it_carries(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request request = {.method = STUN_METHOD_BINDING, .username = "user", .integrity = true};

    (void)state;
    assert_int_equal(process(&policy, &request).verdict, STATELESS_BINDING);
}

static void answers_a_binding_request_of_unknown_attributes_with_420(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request request = {.method = STUN_METHOD_BINDING, .unknown_count = 3};
    struct outcome outcome = process(&policy, &request);
    struct stun_message answer;
    uint16_t types[4];
    unsigned count;

    (void)state;
    assert_int_equal(outcome.verdict, STATELESS_UNKNOWN_ATTRIBUTE);
    answer = answer_of(&outcome);
    assert_int_equal(answer.message_class, STUN_CLASS_ERROR);
    assert_int_equal(error_of(&answer), STUN_ERROR_UNKNOWN_ATTRIBUTE);
    assert_int_equal(stun_message_unknown_attributes(&answer, types, 4, &count), STUN_VALUE_OK);
    assert_int_equal(count, 3);
    assert_int_equal(types[0], 0x4000);
    assert_int_equal(types[2], 0x4002);
    assert_false(stun_message_has(&answer, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS));
}

static void challenges_a_request_without_integrity(void **state)
{
    static const uint16_t methods[] = {STUN_METHOD_ALLOCATE,          STUN_METHOD_REFRESH,
                                       STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND,
                                       STUN_METHOD_CONNECT,           STUN_METHOD_CONNECTION_BIND};
    struct stateless_policy policy = usual_policy();

    (void)state;
    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct request request = {.method = methods[i]};
        struct outcome outcome = process(&policy, &request);
        struct stun_message answer;

        assert_int_equal(outcome.verdict, STATELESS_UNAUTHENTICATED);
        answer = answer_of(&outcome);
        assert_int_equal(answer.method, methods[i]);
        assert_challenge(&policy, &answer, STUN_ERROR_UNAUTHENTICATED);
    }
}

// RFC 8489 section 9.2.4: the integrity check comes first, whatever else is there.
static void challenges_a_request_with_all_but_integrity(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);

    (void)state;
    request.integrity = false;
    assert_int_equal(process(&policy, &request).verdict, STATELESS_UNAUTHENTICATED);
}

static void challenges_before_it_looks_for_unknown_attributes(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request request = {.unknown_count = 2};

    (void)state;
    assert_int_equal(process(&policy, &request).verdict, STATELESS_UNAUTHENTICATED);
}

static void offers_no_algorithms_when_its_policy_has_none(void **state)
{
    struct stateless_policy policy = policy_of(0);
    struct request request = {0};
    struct outcome outcome = process(&policy, &request);
    struct stun_message answer;

    (void)state;
    assert_int_equal(outcome.verdict, STATELESS_UNAUTHENTICATED);
    answer = answer_of(&outcome);
    assert_challenge(&policy, &answer, STUN_ERROR_UNAUTHENTICATED);
}

static void says_no_software_when_it_has_none(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request request = {0};
    struct outcome outcome;
    struct stun_message answer;

    (void)state;
    policy.software[0] = '\0';
    outcome = process(&policy, &request);
    answer = answer_of(&outcome);
    assert_false(stun_message_has(&answer, STUN_ATTRIBUTE_SOFTWARE));
}

static void refuses_integrity_without_username_realm_or_nonce(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request;

    (void)state;
    request = with_credentials(&nonce);
    request.username = NULL;
    assert_bad_request(&request);
    request = with_credentials(&nonce);
    request.realm = NULL;
    assert_bad_request(&request);
    request = with_credentials(&nonce);
    request.nonce = NULL;
    assert_bad_request(&request);
    request = (struct request){.integrity_sha256 = true};
    assert_bad_request(&request);
}

static void refuses_a_username_realm_or_userhash_of_impossible_length(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request;

    (void)state;
    request = with_credentials(&nonce);
    request.username = "";
    assert_bad_request(&request);
    request = with_credentials(&nonce);
    request.realm = "";
    assert_bad_request(&request);
    request = with_credentials(&nonce);
    request.username = NULL;
    request.userhash_len = 31;
    assert_bad_request(&request);
}

static void passes_a_request_with_credentials_and_a_valid_nonce(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);

    (void)state;
    assert_silent(&request, STATELESS_PASS);
    request.unknown_count = 1; // after authentication only: for the TURN server to answer
    assert_silent(&request, STATELESS_PASS);
}

static void passes_a_userhash_and_integrity_of_sha256(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);

    (void)state;
    request.username = NULL;
    request.userhash_len = USERHASH_LEN;
    request.integrity = false;
    request.integrity_sha256 = true;
    request.algorithms = offered_algorithms;
    request.algorithms_len = sizeof(offered_algorithms);
    request.algorithm = (const uint8_t[]){0, 2, 0, 0};
    request.algorithm_len = 4;
    assert_silent(&request, STATELESS_PASS);
    request.algorithm = (const uint8_t[]){0, 1, 0, 0};
    assert_silent(&request, STATELESS_PASS);
}

static void refuses_one_algorithm_attribute_without_the_other(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request;

    (void)state;
    request = with_credentials(&nonce);
    request.algorithms = offered_algorithms;
    request.algorithms_len = sizeof(offered_algorithms);
    assert_bad_request(&request);
    request = with_credentials(&nonce);
    request.algorithm = (const uint8_t[]){0, 2, 0, 0};
    request.algorithm_len = 4;
    assert_bad_request(&request);
}

// RFC 8489 section 16.1.3: the client echoes the list, so that a list that was weakened on its way
// shows.
static void refuses_a_list_that_is_not_what_we_offered(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } lists[] = {
        {{0, 1, 0, 0}, 4},                          // SHA-256 taken away
        {{0, 2, 0, 0}, 4},                          // MD5 taken away
        {{0, 1, 0, 0, 0, 2, 0, 0}, 8},              // another order
        {{0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0}, 12}, // one added
        {{0, 2, 0, 0, 0, 1, 0, 4}, 8},              // malformed
        {{0}, 0},
    };
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct request request = with_credentials(&nonce);

        request.algorithms = lists[i].bytes;
        request.algorithms_len = lists[i].len;
        request.algorithm = (const uint8_t[]){0, 1, 0, 0};
        request.algorithm_len = 4;
        assert_bad_request(&request);
    }
}

static void refuses_an_algorithm_that_we_did_not_offer(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t len;
    } algorithms[] = {
        {{0, 3, 0, 0}, 4},
        {{0, 0, 0, 0}, 4},
        {{2, 0, 0, 0}, 4},
        {{0, 2}, 2},
        {{0, 2, 0, 4, 1, 2, 3, 4}, 8},
        {{0}, 0},
    };
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);

    (void)state;
    for (unsigned i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        struct request request = with_credentials(&nonce);

        request.algorithms = offered_algorithms;
        request.algorithms_len = sizeof(offered_algorithms);
        request.algorithm = algorithms[i].bytes;
        request.algorithm_len = algorithms[i].len;
        assert_bad_request(&request);
    }
}

static void assert_stale(const struct stateless_policy *policy, const struct request *request)
{
    struct outcome outcome = process(policy, request);
    struct stun_message answer;

    assert_int_equal(outcome.verdict, STATELESS_STALE_NONCE);
    answer = answer_of(&outcome);
    assert_challenge(policy, &answer, STUN_ERROR_STALE_NONCE);
}

static void answers_a_stale_nonce_with_438_and_a_fresh_one(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct transport_address to = client();
    struct fresh_nonce nonce;
    struct request request;

    (void)state;
    nonce_mint(&policy.nonce, &to, NOW_S - 601, SALT, nonce.bytes);
    request = with_credentials(&nonce);
    assert_stale(&policy, &request);
}

static void answers_a_forged_nonce_with_438(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);

    (void)state;
    nonce.bytes[NONCE_LEN - 1] ^= 1;
    assert_stale(&policy, &request);
    request.nonce = NULL;
    request.text_nonce = "f//499k954d6OL34oL9FSTvy64sA"; // a server of RFC 5389 made it
    assert_stale(&policy, &request);
    request.text_nonce = "";
    assert_stale(&policy, &request);
}

static void answers_the_nonce_of_another_client_with_438(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct transport_address other = client();
    struct fresh_nonce nonce;
    struct request request;

    (void)state;
    other.port++;
    nonce_mint(&policy.nonce, &other, NOW_S, SALT, nonce.bytes);
    request = with_credentials(&nonce);
    assert_stale(&policy, &request);
}

// RFC 8489 section 9.2.1: a genuine nonce whose feature bits were cleared on the way.
static void answers_a_nonce_bid_down_to_no_features_with_438(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);

    (void)state;
    memcpy(nonce.bytes + 9, "AAAA", 4);
    assert_stale(&policy, &request);
    // Nor are algorithms then looked at: the nonce does not say that they mean anything.
    request.algorithm = (const uint8_t[]){0, 9, 0, 0};
    request.algorithm_len = 4;
    assert_stale(&policy, &request);
}

static void checks_algorithms_before_the_age_of_the_nonce(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct transport_address to = client();
    struct fresh_nonce nonce;
    struct request request;

    (void)state;
    nonce_mint(&policy.nonce, &to, NOW_S - 601, SALT, nonce.bytes);
    request = with_credentials(&nonce);
    request.algorithm = (const uint8_t[]){0, 2, 0, 0};
    request.algorithm_len = 4;
    assert_bad_request(&request);
}

static void hands_a_send_indication_to_the_forwarding_path(void **state)
{
    struct request request = {.message_class = STUN_CLASS_INDICATION, .method = STUN_METHOD_SEND};

    (void)state;
    assert_silent(&request, STATELESS_INDICATION);
}

static void ignores_a_send_indication_of_unknown_attributes(void **state)
{
    struct request request = {
        .message_class = STUN_CLASS_INDICATION, .method = STUN_METHOD_SEND, .unknown_count = 1};

    (void)state;
    assert_silent(&request, STATELESS_IGNORED);
}

static void never_answers_a_response(void **state)
{
    static const enum stun_class classes[] = {STUN_CLASS_SUCCESS, STUN_CLASS_ERROR};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        for (uint16_t method = 1; method < 0x10; method++) {
            struct request request = {.message_class = classes[i], .method = method};

            assert_silent(&request, STATELESS_IGNORED);
        }
    }
}

static void ignores_every_indication_but_send(void **state)
{
    (void)state;
    for (uint16_t method = 1; method < 0x1000; method++) {
        struct request request = {.message_class = STUN_CLASS_INDICATION, .method = method};

        if (method != STUN_METHOD_SEND)
            assert_silent(&request, STATELESS_IGNORED);
    }
}

static void ignores_requests_of_methods_that_have_none(void **state)
{
    struct stateless_policy policy = usual_policy();

    (void)state;
    for (uint16_t method = 1; method < 0x1000; method++) {
        struct request request = {.method = method};
        enum stateless_verdict verdict = process(&policy, &request).verdict;

        switch (method) {
        case STUN_METHOD_BINDING:
            assert_int_equal(verdict, STATELESS_BINDING);
            break;
        case STUN_METHOD_ALLOCATE:
        case STUN_METHOD_REFRESH:
        case STUN_METHOD_CREATE_PERMISSION:
        case STUN_METHOD_CHANNEL_BIND:
        case STUN_METHOD_CONNECT:
        case STUN_METHOD_CONNECTION_BIND:
            assert_int_equal(verdict, STATELESS_UNAUTHENTICATED);
            break;
        default:
            assert_int_equal(verdict, STATELESS_IGNORED);
        }
    }
}

static void mirrors_the_fingerprint_in_every_answer(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request requests[] = {
        {.method = STUN_METHOD_BINDING},  {.method = STUN_METHOD_BINDING, .unknown_count = 1},
        {.method = STUN_METHOD_ALLOCATE}, {.integrity = true},
        with_credentials(&nonce),
    };
    static const enum stateless_verdict verdicts[] = {
        STATELESS_BINDING,     STATELESS_UNKNOWN_ATTRIBUTE, STATELESS_UNAUTHENTICATED,
        STATELESS_BAD_REQUEST, STATELESS_STALE_NONCE,
    };

    (void)state;
    nonce.bytes[20] ^= 1;
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct outcome outcome = process(&policy, &requests[i]);

        assert_int_equal(outcome.verdict, verdicts[i]);
        assert_false(answer_of(&outcome).has_fingerprint);
        requests[i].fingerprint = true;
        outcome = process(&policy, &requests[i]);
        assert_true(answer_of(&outcome).has_fingerprint);
    }
}

static void fits_its_longest_answers_into_the_promised_length(void **state)
{
    struct stateless_policy policy = usual_policy();
    struct request requests[] = {
        {.method = STUN_METHOD_BINDING,
         .unknown_count = STUN_MESSAGE_UNKNOWN_MAX,
         .fingerprint = true},
        {.method = STUN_METHOD_ALLOCATE, .fingerprint = true},
    };

    (void)state;
    memset(policy.realm, 'r', STATELESS_TEXT_MAX_LEN);
    memset(policy.software, 's', STATELESS_TEXT_MAX_LEN);
    for (unsigned i = 0; i < 2; i++) {
        struct outcome outcome = process(&policy, &requests[i]);
        struct stun_message answer = answer_of(&outcome);

        assert_true(stun_message_has(&answer, STUN_ATTRIBUTE_SOFTWARE));
        assert_true(answer.has_fingerprint);
    }
}

static void writes_the_challenges_of_the_turn_server_alike(void **state)
{
    static const unsigned errors[] = {STUN_ERROR_UNAUTHENTICATED, STUN_ERROR_STALE_NONCE};
    struct stateless_policy policy = usual_policy();
    struct fresh_nonce nonce = fresh(&policy);
    struct request request = with_credentials(&nonce);
    struct transport_address to = client();
    uint8_t buffer[1024];
    struct stun_message message = make(&request, buffer, sizeof(buffer));
    struct stateless_answers answers;

    (void)state;
    stateless_answers_init(&answers, &policy);
    for (unsigned i = 0; i < 2; i++) {
        struct outcome outcome;
        struct stun_message answer;

        outcome.len = stateless_write_challenge(&answers, &message, &to, errors[i], NOW_S, SALT,
                                                outcome.bytes, sizeof(outcome.bytes));
        answer = answer_of(&outcome);
        assert_challenge(&policy, &answer, errors[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_the_buffer_of_the_request),
        cmocka_unit_test(answers_byte_for_byte_as_the_builder_does),
        cmocka_unit_test(writes_nothing_behind_the_end_of_an_answer),
        cmocka_unit_test(answers_a_binding_request_with_the_clients_address),
        cmocka_unit_test(answers_a_binding_request_whatever_credentials_it_carries),
        cmocka_unit_test(answers_a_binding_request_of_unknown_attributes_with_420),
        cmocka_unit_test(challenges_a_request_without_integrity),
        cmocka_unit_test(challenges_a_request_with_all_but_integrity),
        cmocka_unit_test(challenges_before_it_looks_for_unknown_attributes),
        cmocka_unit_test(offers_no_algorithms_when_its_policy_has_none),
        cmocka_unit_test(says_no_software_when_it_has_none),
        cmocka_unit_test(refuses_integrity_without_username_realm_or_nonce),
        cmocka_unit_test(refuses_a_username_realm_or_userhash_of_impossible_length),
        cmocka_unit_test(passes_a_request_with_credentials_and_a_valid_nonce),
        cmocka_unit_test(passes_a_userhash_and_integrity_of_sha256),
        cmocka_unit_test(refuses_one_algorithm_attribute_without_the_other),
        cmocka_unit_test(refuses_a_list_that_is_not_what_we_offered),
        cmocka_unit_test(refuses_an_algorithm_that_we_did_not_offer),
        cmocka_unit_test(answers_a_stale_nonce_with_438_and_a_fresh_one),
        cmocka_unit_test(answers_a_forged_nonce_with_438),
        cmocka_unit_test(answers_the_nonce_of_another_client_with_438),
        cmocka_unit_test(answers_a_nonce_bid_down_to_no_features_with_438),
        cmocka_unit_test(checks_algorithms_before_the_age_of_the_nonce),
        cmocka_unit_test(hands_a_send_indication_to_the_forwarding_path),
        cmocka_unit_test(ignores_a_send_indication_of_unknown_attributes),
        cmocka_unit_test(never_answers_a_response),
        cmocka_unit_test(ignores_every_indication_but_send),
        cmocka_unit_test(ignores_requests_of_methods_that_have_none),
        cmocka_unit_test(mirrors_the_fingerprint_in_every_answer),
        cmocka_unit_test(fits_its_longest_answers_into_the_promised_length),
        cmocka_unit_test(writes_the_challenges_of_the_turn_server_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
