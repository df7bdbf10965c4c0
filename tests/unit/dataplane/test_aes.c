// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/aes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// FIPS 197 appendix B, round 1: whatever a CPU's instruction calls its operands.
static void a_round_is_one_of_the_standard(void **state)
{
    (void)state;
#ifdef AES_IS_KNOWN
    static const uint8_t start[16] = {0x19, 0x3D, 0xE3, 0xBE, 0xA0, 0xF4, 0xE2, 0x2B,
                                      0x9A, 0xC6, 0x8D, 0x2A, 0xE9, 0xF8, 0x48, 0x08};
    static const uint8_t key[16] = {0xA0, 0xFA, 0xFE, 0x17, 0x88, 0x54, 0x2C, 0xB1,
                                    0x23, 0xA3, 0x39, 0x39, 0x2A, 0x6C, 0x76, 0x05};
    static const uint8_t end[16] = {0xA4, 0x9C, 0x7F, 0xF2, 0x68, 0x9F, 0x35, 0x2B,
                                    0x6B, 0x5B, 0xEA, 0x43, 0x02, 0x6A, 0x50, 0x49};
    if (aes_is_usable()) {
        aes_block block = aes_round(aes_load(start), aes_load(key));
        assert_memory_equal(&block, end, sizeof(end));
        return;
    }
#endif
    skip();
}

static void a_block_has_its_first_word_in_front(void **state)
{
    (void)state;
#ifdef AES_IS_KNOWN
    aes_block block = aes_block_of(1, 2);
    uint64_t words[2];
    memcpy(words, &block, sizeof(words));
    assert_int_equal(words[0], 1);
    assert_int_equal(words[1], 2);
    assert_int_equal(aes_first(block), 1);
    assert_int_equal(aes_first(aes_xor(block, aes_block_of(3, 0))), 2);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_is_one_of_the_standard),
        cmocka_unit_test(a_block_has_its_first_word_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
