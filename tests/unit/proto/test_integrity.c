// SPDX-License-Identifier: BSD-3-Clause
// Message integrity against the published vectors, and its refusals.
#include "proto/integrity.h"

#include "support.h"
#include "vectors.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>

static struct integrity_key short_term_key(void)
{
    struct span password = span_of(VECTOR_SHORT_TERM_PASSWORD);
    struct integrity_key key = {.len = (uint8_t)password.len};

    memcpy(key.bytes, password.data, password.len);
    return key;
}

static struct integrity_key long_term_key(enum stun_password_algorithm algorithm)
{
    struct integrity_key key;

    assert_int_equal(integrity_key_derive(algorithm, span_of(VECTOR_LONG_TERM_USERNAME),
                                          span_of(VECTOR_LONG_TERM_REALM),
                                          span_of(VECTOR_LONG_TERM_PASSWORD), &key),
                     0);
    return key;
}

static void verifies_the_short_term_request_of_rfc_5769(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_short_term_request));
    struct integrity_key key = short_term_key();

    (void)state;
    assert_true(message.has_fingerprint);
    assert_true(integrity_check_sha1(&message, &key));
}

static void verifies_the_ipv4_response_of_rfc_5769(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_ipv4_response));
    struct integrity_key key = short_term_key();

    (void)state;
    assert_true(message.has_fingerprint);
    assert_true(integrity_check_sha1(&message, &key));
}

static void verifies_the_ipv6_response_of_rfc_5769(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_ipv6_response));
    struct integrity_key key = short_term_key();

    (void)state;
    assert_true(message.has_fingerprint);
    assert_true(integrity_check_sha1(&message, &key));
}

static void verifies_the_long_term_request_of_rfc_5769(void **state)
{
    struct stun_message message = parse_valid(SPAN(vector_long_term_request));
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_MD5);

    (void)state;
    assert_int_equal(key.len, 16);
    assert_true(integrity_check_sha1(&message, &key));
}

static void derives_the_key_that_rfc_8489_section_9_2_2_prints(void **state)
{
    static const uint8_t expected[] = {0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb,
                                       0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb};
    struct integrity_key key;

    (void)state;
    assert_int_equal(integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, span_of("user"),
                                          span_of("realm"), span_of("pass"), &key),
                     0);
    assert_int_equal(key.len, sizeof(expected));
    assert_memory_equal(key.bytes, expected, sizeof(expected));
}

static void refuses_an_unknown_password_algorithm_and_leaves_the_key_alone(void **state)
{
    struct integrity_key key = {.len = 7};

    (void)state;
    assert_int_equal(integrity_key_derive((enum stun_password_algorithm)3, span_of("user"),
                                          span_of("realm"), span_of("pass"), &key),
                     -EINVAL);
    assert_int_equal(key.len, 7);
}

// The vector of RFC 8489 appendix B.1 with the length that its attributes take.
static void copy_userhash_request(uint8_t bytes[sizeof(vector_userhash_request)])
{
    memcpy(bytes, vector_userhash_request, sizeof(vector_userhash_request));
    store_be16(bytes + 2, sizeof(vector_userhash_request) - STUN_HEADER_LEN);
}

static void hmac_sha256(const struct integrity_key *key, const uint8_t *bytes, size_t len,
                        uint8_t ret_mac[INTEGRITY_SHA256_LEN])
{
    size_t written;

    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->bytes, key->len, bytes, len,
                              ret_mac, INTEGRITY_SHA256_LEN, &written));
    assert_int_equal(written, INTEGRITY_SHA256_LEN);
}

static void finds_the_userhash_of_rfc_8489_appendix_b_1(void **state)
{
    uint8_t bytes[sizeof(vector_userhash_request)];
    uint8_t expected[USERHASH_LEN];
    struct stun_message message;
    const uint8_t *userhash;

    (void)state;
    copy_userhash_request(bytes);
    message = parse_valid(SPAN(bytes));
    integrity_userhash(span_of(VECTOR_LONG_TERM_USERNAME), span_of(VECTOR_LONG_TERM_REALM),
                       expected);
    assert_int_equal(stun_message_userhash(&message, &userhash), STUN_VALUE_OK);
    assert_memory_equal(userhash, expected, sizeof(expected));
}

// Found by trying every length: the vector's MAC is that of the message with 0x9c in its header,
// the length of the whole message where that of the attributes, 0x88, belongs; the key is
// SHA-256's, with the password "TheMatrIX".
static void finds_the_mac_of_rfc_8489_appendix_b_1_over_its_mistaken_length(void **state)
{
    const uint8_t *bytes = vector_userhash_request;
    size_t offset = sizeof(vector_userhash_request) - 4 - INTEGRITY_SHA256_LEN;
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_SHA256);
    uint8_t mac[INTEGRITY_SHA256_LEN];

    (void)state;
    assert_int_equal(key.len, 32);
    assert_int_equal(load_be16(bytes + 2), sizeof(vector_userhash_request));
    hmac_sha256(&key, bytes, offset, mac);
    assert_memory_equal(mac, bytes + offset + 4, sizeof(mac));
}

static void refuses_the_mac_of_rfc_8489_appendix_b_1_with_its_length_put_right(void **state)
{
    uint8_t bytes[sizeof(vector_userhash_request)];
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_SHA256);
    uint8_t mac[INTEGRITY_SHA256_LEN];
    struct stun_message message;

    (void)state;
    copy_userhash_request(bytes);
    message = parse_valid(SPAN(bytes));
    assert_false(integrity_check_sha256(&message, &key));

    hmac_sha256(&key, bytes, message.integrity_sha256_offset, mac);
    memcpy(bytes + message.integrity_sha256_offset + 4, mac, sizeof(mac));
    assert_true(integrity_check_sha256(&message, &key));
}

static size_t build_with_both(uint8_t *buffer, size_t capacity, const struct integrity_key *key)
{
    struct stun_builder builder;

    stun_builder_init(&builder, buffer, capacity, STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_message_integrity(&builder, key);
    stun_add_message_integrity_sha256(&builder, key);
    stun_add_fingerprint(&builder);
    return stun_builder_finish(&builder);
}

static void verifies_both_macs_that_the_builder_writes_before_a_fingerprint(void **state)
{
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_SHA256);
    uint8_t buffer[256];
    struct stun_message message;

    (void)state;
    message = parse_valid((struct span){buffer, build_with_both(buffer, sizeof(buffer), &key)});
    assert_true(message.has_fingerprint);
    assert_true(integrity_check_sha1(&message, &key));
    assert_true(integrity_check_sha256(&message, &key));
}

static void refuses_a_message_with_any_bit_changed_before_the_mac(void **state)
{
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_MD5);
    struct stun_builder builder;
    uint8_t buffer[256];
    struct stun_message message;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    stun_add_u32(&builder, STUN_ATTRIBUTE_LIFETIME, 600);
    stun_add_message_integrity(&builder, &key);
    message = parse_built(&builder);
    for (size_t bit = 0; bit < message.integrity_offset * 8u; bit++) {
        if (bit / 8 == 2 || bit / 8 == 3)
            continue; // the length, which the check sets itself
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(integrity_check_sha1(&message, &key));
        buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(integrity_check_sha1(&message, &key));
}

static void refuses_a_mac_with_any_bit_changed(void **state)
{
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_SHA256);
    struct stun_builder builder;
    uint8_t buffer[256];
    struct stun_message message;
    size_t mac_offset;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    stun_add_message_integrity(&builder, &key);
    stun_add_message_integrity_sha256(&builder, &key);
    message = parse_built(&builder);
    mac_offset = message.integrity_offset + 4;
    for (size_t bit = 0; bit < INTEGRITY_SHA1_LEN * 8; bit++) {
        buffer[mac_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(integrity_check_sha1(&message, &key));
        buffer[mac_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    mac_offset = message.integrity_sha256_offset + 4;
    for (size_t bit = 0; bit < INTEGRITY_SHA256_LEN * 8; bit++) {
        buffer[mac_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(integrity_check_sha256(&message, &key));
        buffer[mac_offset + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void refuses_another_key(void **state)
{
    struct integrity_key key = long_term_key(STUN_PASSWORD_ALGORITHM_SHA256);
    struct integrity_key other = long_term_key(STUN_PASSWORD_ALGORITHM_MD5);
    uint8_t buffer[256];
    struct stun_message message;

    (void)state;
    message = parse_valid((struct span){buffer, build_with_both(buffer, sizeof(buffer), &key)});
    assert_false(integrity_check_sha1(&message, &other));
    assert_false(integrity_check_sha256(&message, &other));
    // The right key after the wrong one: no state is left behind.
    assert_true(integrity_check_sha1(&message, &key));
    assert_true(integrity_check_sha256(&message, &key));
}

static void refuses_an_absent_mac(void **state)
{
    struct integrity_key key = short_term_key();
    struct stun_builder builder;
    uint8_t buffer[64];
    struct stun_message message;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    message = parse_built(&builder);
    assert_false(integrity_check_sha1(&message, &key));
    assert_false(integrity_check_sha256(&message, &key));
}

// A truncated MESSAGE-INTEGRITY-SHA256 that would be right as far as it goes: RFC 8489 section 14.6
// allows it only where a usage says so, and TURN does not.
static void refuses_a_mac_of_any_other_length(void **state)
{
    struct integrity_key key = short_term_key();

    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        struct stun_builder builder;
        uint8_t buffer[128];
        uint8_t zeros[64] = {0};
        struct stun_message message;

        stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                          test_transaction_id);
        stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY_SHA256, zeros, len);
        message = parse_built(&builder);
        // The MAC of this very message, with a header that ends after this attribute.
        hmac_sha256(&key, buffer, message.integrity_sha256_offset, zeros);
        memcpy(buffer + message.integrity_sha256_offset + 4, zeros, len < 32 ? len : 32);
        assert_int_equal(integrity_check_sha256(&message, &key), len == INTEGRITY_SHA256_LEN);
        assert_false(integrity_check_sha1(&message, &key));
    }
}

// What follows a value that is too short is not read as the rest of it.
static void refuses_a_mac_that_goes_on_past_its_attribute(void **state)
{
    struct integrity_key key = short_term_key();
    struct stun_builder builder;
    uint8_t buffer[128];
    struct stun_message message;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    stun_add_message_integrity(&builder, &key);
    stun_add_message_integrity_sha256(&builder, &key);
    message = parse_built(&builder);
    assert_true(integrity_check_sha1(&message, &key));
    assert_true(integrity_check_sha256(&message, &key));
    store_be16(buffer + message.integrity_offset + 2, INTEGRITY_SHA1_LEN - 4);
    store_be16(buffer + message.integrity_sha256_offset + 2, INTEGRITY_SHA256_LEN - 4);
    assert_false(integrity_check_sha1(&message, &key));
    integrity_sha256(&key, buffer, message.integrity_sha256_offset,
                     buffer + message.integrity_sha256_offset + 4);
    assert_false(integrity_check_sha256(&message, &key));
}

static void refuses_a_sha1_mac_of_sha256_length(void **state)
{
    struct integrity_key key = short_term_key();
    struct stun_builder builder;
    uint8_t buffer[128];
    uint8_t zeros[INTEGRITY_SHA256_LEN] = {0};
    struct stun_message message;

    (void)state;
    stun_builder_init(&builder, buffer, sizeof(buffer), STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      test_transaction_id);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_MESSAGE_INTEGRITY, zeros, sizeof(zeros));
    message = parse_built(&builder);
    integrity_sha1(&key, buffer, message.integrity_offset, buffer + message.integrity_offset + 4);
    assert_false(integrity_check_sha1(&message, &key));
}

static void takes_a_key_of_the_longest_length(void **state)
{
    struct integrity_key key = {.len = INTEGRITY_KEY_MAX_LEN};
    uint8_t buffer[256];
    struct stun_message message;

    (void)state;
    memset(key.bytes, 0xA5, sizeof(key.bytes));
    message = parse_valid((struct span){buffer, build_with_both(buffer, sizeof(buffer), &key)});
    assert_true(integrity_check_sha256(&message, &key));
    key.bytes[INTEGRITY_KEY_MAX_LEN - 1] ^= 1;
    assert_false(integrity_check_sha256(&message, &key));
}

// Test cases 1, 2, 3, 6 and 7: keys shorter than a block of the digest and longer.
static void finds_the_macs_of_rfc_2202(void **state)
{
    uint8_t key[80];
    uint8_t data[50];
    uint8_t mac[INTEGRITY_SHA1_LEN];

    (void)state;
    memset(key, 0x0B, 20);
    integrity_hmac_sha1((struct span){key, 20}, span_of("Hi There"), mac);
    assert_memory_equal(mac,
                        "\xb6\x17\x31\x86\x55\x05\x72\x64\xe2\x8b\xc0\xb6\xfb\x37\x8c\x8e"
                        "\xf1\x46\xbe\x00",
                        sizeof(mac));
    integrity_hmac_sha1(span_of("Jefe"), span_of("what do ya want for nothing?"), mac);
    assert_memory_equal(mac,
                        "\xef\xfc\xdf\x6a\xe5\xeb\x2f\xa2\xd2\x74\x16\xd5\xf1\x84\xdf\x9c"
                        "\x25\x9a\x7c\x79",
                        sizeof(mac));
    memset(key, 0xAA, sizeof(key));
    memset(data, 0xDD, sizeof(data));
    integrity_hmac_sha1((struct span){key, 20}, SPAN(data), mac);
    assert_memory_equal(mac,
                        "\x12\x5d\x73\x42\xb9\xac\x11\xcd\x91\xa3\x9a\xf4\x8a\xa1\x7b\x4f"
                        "\x63\xf1\x75\xd3",
                        sizeof(mac));
    integrity_hmac_sha1(SPAN(key),
                        span_of("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_memory_equal(mac,
                        "\xaa\x4a\xe5\xe1\x52\x72\xd0\x0e\x95\x70\x56\x37\xce\x8a\x3b\x55"
                        "\xed\x40\x21\x12",
                        sizeof(mac));
    integrity_hmac_sha1(SPAN(key),
                        span_of("Test Using Larger Than Block-Size Key and Larger Than One "
                                "Block-Size Data"),
                        mac);
    assert_memory_equal(mac,
                        "\xe8\xe9\x9d\x0f\x45\x23\x7d\x78\x6d\x6b\xba\xa7\x96\x5c\x78\x08"
                        "\xbb\xff\x1a\x91",
                        sizeof(mac));
}

// OpenSSL's own HMAC says the same of every length of key and text, the empty ones too.
static void agrees_with_openssl_on_every_length(void **state)
{
    uint8_t bytes[160];
    uint8_t mac[INTEGRITY_SHA1_LEN];
    uint8_t expected[INTEGRITY_SHA1_LEN];
    size_t written;

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(7 * i + 1);
    for (size_t key_len = 0; key_len <= sizeof(bytes); key_len++) {
        for (size_t text_len = 0; text_len <= sizeof(bytes); text_len += 5) {
            assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, bytes, key_len, bytes,
                                      text_len, expected, sizeof(expected), &written));
            integrity_hmac_sha1((struct span){bytes, key_len}, (struct span){bytes, text_len}, mac);
            assert_memory_equal(mac, expected, sizeof(mac));
        }
    }
}

static void cleanses_a_key_to_zero(void **state)
{
    struct integrity_key key = short_term_key();
    struct integrity_key zero = {0};

    (void)state;
    integrity_key_cleanse(&key);
    assert_memory_equal(&key, &zero, sizeof(key));
}

static void *check_in_thread(void *argument)
{
    struct integrity_key key = short_term_key();
    struct stun_message message;
    bool all = true;

    (void)argument;
    for (unsigned i = 0; i < 200; i++) {
        if (stun_message_parse(SPAN(vector_short_term_request), &message) != STUN_VALID)
            return NULL;
        all &= integrity_check_sha1(&message, &key);
    }
    return all ? (void *)vector_short_term_request : NULL;
}

static void verifies_on_several_threads_at_once(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_in_thread, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_the_short_term_request_of_rfc_5769),
        cmocka_unit_test(verifies_the_ipv4_response_of_rfc_5769),
        cmocka_unit_test(verifies_the_ipv6_response_of_rfc_5769),
        cmocka_unit_test(verifies_the_long_term_request_of_rfc_5769),
        cmocka_unit_test(derives_the_key_that_rfc_8489_section_9_2_2_prints),
        cmocka_unit_test(refuses_an_unknown_password_algorithm_and_leaves_the_key_alone),
        cmocka_unit_test(finds_the_userhash_of_rfc_8489_appendix_b_1),
        cmocka_unit_test(finds_the_mac_of_rfc_8489_appendix_b_1_over_its_mistaken_length),
        cmocka_unit_test(refuses_the_mac_of_rfc_8489_appendix_b_1_with_its_length_put_right),
        cmocka_unit_test(verifies_both_macs_that_the_builder_writes_before_a_fingerprint),
        cmocka_unit_test(refuses_a_message_with_any_bit_changed_before_the_mac),
        cmocka_unit_test(refuses_a_mac_with_any_bit_changed),
        cmocka_unit_test(refuses_another_key),
        cmocka_unit_test(refuses_an_absent_mac),
        cmocka_unit_test(refuses_a_mac_of_any_other_length),
        cmocka_unit_test(refuses_a_mac_that_goes_on_past_its_attribute),
        cmocka_unit_test(refuses_a_sha1_mac_of_sha256_length),
        cmocka_unit_test(takes_a_key_of_the_longest_length),
        cmocka_unit_test(finds_the_macs_of_rfc_2202),
        cmocka_unit_test(agrees_with_openssl_on_every_length),
        cmocka_unit_test(cleanses_a_key_to_zero),
        cmocka_unit_test(verifies_on_several_threads_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
