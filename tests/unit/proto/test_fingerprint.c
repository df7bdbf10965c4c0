// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT's value against zlib's CRC and the vectors of RFC 5769.
#include "proto/fingerprint.h"

#include "support.h"
#include "vectors.h"

#include <stdlib.h>
#include <zlib.h>

static uint32_t expected(const uint8_t *bytes, size_t len)
{
    return (uint32_t)crc32(0, bytes, (uInt)len) ^ STUN_FINGERPRINT_XOR;
}

static void agrees_with_zlib_at_every_length_and_alignment(void **state)
{
    static uint8_t bytes[1024 + 16];

    (void)state;
    srand(3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    for (size_t offset = 0; offset < 16; offset++) {
        for (size_t len = 0; len <= 1024; len++)
            assert_int_equal(fingerprint(bytes + offset, len), expected(bytes + offset, len));
    }
}

static void agrees_with_zlib_on_the_longest_message(void **state)
{
    uint8_t *bytes = malloc(STUN_MESSAGE_MAX_LEN);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < STUN_MESSAGE_MAX_LEN; i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    assert_int_equal(fingerprint(bytes, STUN_MESSAGE_MAX_LEN),
                     expected(bytes, STUN_MESSAGE_MAX_LEN));
    free(bytes);
}

// Each block of its own, so that nothing is read behind or before it.
static void every_single_bit_counts(void **state)
{
    (void)state;
    for (size_t len = 16; len <= 300; len += 4) {
        uint8_t *bytes = calloc(1, len);

        assert_non_null(bytes);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] = (uint8_t)(1u << bit % 8);
            assert_int_equal(fingerprint(bytes, len), expected(bytes, len));
            bytes[bit / 8] = 0;
        }
        free(bytes);
    }
}

static void assert_vector(const uint8_t *message, size_t len)
{
    size_t offset = len - STUN_ATTRIBUTE_HEADER_LEN - STUN_FINGERPRINT_LEN;

    assert_int_equal(load_be16(message + offset), STUN_ATTRIBUTE_FINGERPRINT);
    assert_int_equal(fingerprint(message, offset), load_be32(message + len - STUN_FINGERPRINT_LEN));
}

static void agrees_with_the_vectors_of_rfc5769(void **state)
{
    (void)state;
    assert_vector(vector_short_term_request, sizeof(vector_short_term_request));
    assert_vector(vector_ipv4_response, sizeof(vector_ipv4_response));
    assert_vector(vector_ipv6_response, sizeof(vector_ipv6_response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_zlib_at_every_length_and_alignment),
        cmocka_unit_test(agrees_with_zlib_on_the_longest_message),
        cmocka_unit_test(every_single_bit_counts),
        cmocka_unit_test(agrees_with_the_vectors_of_rfc5769),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
