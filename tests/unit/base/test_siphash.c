// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 against the reference outputs of its authors.
#include "base/siphash.h"

#include "support.h"

#include <string.h>

// Key 00..0f; entry n is the hash of the n bytes 00, 01, ..., n - 1. Entry 15 is the example that
// the paper works through.
static const uint64_t reference[64] = {
    0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
    0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
    0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
    0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
    0x3f2acc7f57c29bdbu, 0x699ae9f52cbe4794u, 0x4bc1b3f0968dd39cu, 0xbb6dc91da77961bdu,
    0xbed65cf21aa2ee98u, 0xd0f2cbb02e3b67c7u, 0x93536795e3a33e88u, 0xa80c038ccd5ccec8u,
    0xb8ad50c6f649af94u, 0xbce192de8a85b8eau, 0x17d835b85bbb15f3u, 0x2f2e6163076bcfadu,
    0xde4daaaca71dc9a5u, 0xa6a2506687956571u, 0xad87a3535c49ef28u, 0x32d892fad841c342u,
    0x7127512f72f27cceu, 0xa7f32346f95978e3u, 0x12e0b01abb051238u, 0x15e034d40fa197aeu,
    0x314dffbe0815a3b4u, 0x027990f029623981u, 0xcadcd4e59ef40c4du, 0x9abfd8766a33735cu,
    0x0e3ea96b5304a7d0u, 0xad0c42d6fc585992u, 0x187306c89bc215a9u, 0xd4a60abcf3792b95u,
    0xf935451de4f21df2u, 0xa9538f0419755787u, 0xdb9acddff56ca510u, 0xd06c98cd5c0975ebu,
    0xe612a3cb9ecba951u, 0xc766e62cfcadaf96u, 0xee64435a9752fe72u, 0xa192d576b245165au,
    0x0a8787bf8ecb74b2u, 0x81b3e73d20b49b6fu, 0x7fa8220ba3b2eceau, 0x245731c13ca42499u,
    0xb78dbfaf3a8d83bdu, 0xea1ad565322a1a0bu, 0x60e61c23a3795013u, 0x6606d7e446282b93u,
    0x6ca4ecb15c5f91e1u, 0x9f626da15c9625f3u, 0xe51b38608ef25f57u, 0x958a324ceb064572u,
};

static const struct siphash_key reference_key = {{0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};

static void gives_the_reference_output_for_every_length_up_to_63(void **state)
{
    uint8_t input[64];

    (void)state;
    for (unsigned len = 0; len < 64; len++) {
        input[len] = (uint8_t)len;
        assert_true(siphash(&reference_key, input, len) == reference[len]);
    }
}

static void hashes_words_like_the_bytes_that_they_are(void **state)
{
    struct siphash_state state_of_first;
    uint8_t input[64];
    uint64_t words[8];

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        input[i] = (uint8_t)i;
    memcpy(words, input, sizeof(words));
    siphash_begin(&reference_key, words[0], &state_of_first);
    for (unsigned count = 1; count < 8; count++) {
        unsigned len = 8 * count + 7;

        assert_true(siphash_end(&state_of_first, words + 1, count - 1, words[count]) ==
                    reference[len]);
    }
}

static void reads_input_at_any_alignment(void **state)
{
    uint8_t storage[64 + 8];

    (void)state;
    for (unsigned shift = 0; shift < 8; shift++) {
        for (unsigned i = 0; i < 63; i++)
            storage[shift + i] = (uint8_t)i;
        assert_true(siphash(&reference_key, storage + shift, 63) == reference[63]);
    }
}

static void tells_inputs_apart_whose_lengths_differ_by_256(void **state)
{
    static const uint8_t zeros[512];

    (void)state;
    assert_true(siphash(&reference_key, zeros, 1) != siphash(&reference_key, zeros, 257));
}

static void depends_on_both_halves_of_the_key(void **state)
{
    struct siphash_key key = reference_key;

    (void)state;
    key.k[0] ^= 1;
    assert_true(siphash(&key, "", 0) != reference[0]);
    key = reference_key;
    key.k[1] ^= 1;
    assert_true(siphash(&key, "", 0) != reference[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_reference_output_for_every_length_up_to_63),
        cmocka_unit_test(hashes_words_like_the_bytes_that_they_are),
        cmocka_unit_test(reads_input_at_any_alignment),
        cmocka_unit_test(tells_inputs_apart_whose_lengths_differ_by_256),
        cmocka_unit_test(depends_on_both_halves_of_the_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
