// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/token_stream.h"

#include "rig.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define COUNT 1000

static const uint8_t key[TOKEN_STREAM_KEY_LEN] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                  8, 9, 10, 11, 12, 13, 14, 15};

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

#ifdef __x86_64__

static void encrypt(uint64_t counter, uint64_t ret_block[2])
{
    uint64_t block[2] = {counter, 0};
    int len = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL), 1);
    assert_int_equal(
        EVP_EncryptUpdate(context, (uint8_t *)ret_block, &len, (const uint8_t *)block, 16), 1);
    assert_int_equal(len, 16);
    EVP_CIPHER_CTX_free(context);
}

static void is_aes_in_counter_mode(void **state)
{
    (void)state;
    struct token_stream stream;
    token_stream_start(&stream, key);
    if (!stream.has_aes)
        skip();
    for (uint64_t batch = 0; batch < 5; batch++) {
        uint64_t values[TOKEN_STREAM_BATCH], blocks[TOKEN_STREAM_BATCH];
        for (unsigned i = 0; i < TOKEN_STREAM_BATCH; i++)
            values[i] = token_stream_next(&stream);
        for (unsigned i = 0; i < TOKEN_STREAM_BATCH; i += 2)
            encrypt((batch * TOKEN_STREAM_BATCH + i) / 2, blocks + i);
        qsort(values, TOKEN_STREAM_BATCH, sizeof(*values), compare); // in whatever order
        qsort(blocks, TOKEN_STREAM_BATCH, sizeof(*blocks), compare);
        assert_memory_equal(values, blocks, sizeof(values));
    }
}

static void blocks_go_on_where_values_are_made(void **state)
{
    (void)state;
    struct token_stream stream;
    uint64_t blocks[7][2], block[2];
    token_stream_start(&stream, key);
    if (!stream.has_aes)
        skip();
    uint64_t value = token_stream_next(&stream); // of the first blocks
    token_stream_blocks(&stream, 7, blocks);
    for (unsigned i = 0; i < 7; i++) {
        encrypt(TOKEN_STREAM_BATCH / 2 + i, block);
        assert_memory_equal(blocks[i], block, sizeof(block));
        assert_int_not_equal(blocks[i][0], value);
    }
    for (unsigned i = 0; i < TOKEN_STREAM_BATCH; i++) // one of them is made anew
        value = token_stream_next(&stream);
    encrypt(TOKEN_STREAM_BATCH + 6, block);
    assert_true(value == block[1]);
}

#endif

static void no_value_comes_twice(void **state)
{
    (void)state;
    static uint64_t values[2 * COUNT];
    struct token_stream streams[2];
    token_stream_init(&streams[0]);
    token_stream_init(&streams[1]);
    for (unsigned i = 0; i < COUNT; i++) {
        values[2 * i] = token_stream_next(&streams[0]);
        values[2 * i + 1] = token_stream_next(&streams[1]);
    }
    qsort(values, 2 * COUNT, sizeof(*values), compare);
    for (unsigned i = 1; i < 2 * COUNT; i++)
        assert_int_not_equal(values[i], values[i - 1]);
}

static void without_aes_none_does_either(void **state)
{
    (void)state;
    static uint64_t values[COUNT];
    struct token_stream stream;
    token_stream_start(&stream, key);
    stream.has_aes = false;
    for (unsigned i = 0; i < COUNT / 2; i++)
        values[i] = token_stream_next(&stream);
    token_stream_blocks(&stream, COUNT / 4, (uint64_t(*)[2])(values + COUNT / 2));
    qsort(values, COUNT, sizeof(*values), compare);
    for (unsigned i = 1; i < COUNT; i++)
        assert_int_not_equal(values[i], values[i - 1]);
}

static void every_bit_is_one_half_of_the_time(void **state)
{
    (void)state;
    unsigned ones[64] = {0};
    struct token_stream stream;
    token_stream_start(&stream, key);
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t value = token_stream_next(&stream);
        for (unsigned bit = 0; bit < 64; bit++)
            ones[bit] += value >> bit & 1;
    }
    for (unsigned bit = 0; bit < 64; bit++) // five times its standard deviation
        assert_in_range(ones[bit], COUNT / 2 - 80, COUNT / 2 + 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef __x86_64__
        cmocka_unit_test(is_aes_in_counter_mode),
        cmocka_unit_test(blocks_go_on_where_values_are_made),
#endif
        cmocka_unit_test(no_value_comes_twice),
        cmocka_unit_test(without_aes_none_does_either),
        cmocka_unit_test(every_bit_is_one_half_of_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
