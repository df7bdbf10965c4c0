// SPDX-License-Identifier: BSD-3-Clause
#include "base/checksum.h"

#include "support.h"

#include <stdlib.h>

static uint8_t bytes[70000];

// The plain definition of RFC 1071, byte by byte, shared with nothing that is tested.
static uint16_t internet_checksum(const uint8_t *from, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)from[i] << 8 : from[i];
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static int set_up(void **state)
{
    (void)state;
    srand(7);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    return 0;
}

static uint16_t field_of(uint64_t sum)
{
    return __builtin_bswap16(checksum_field(sum));
}

static void agrees_with_the_definition_at_every_length_and_alignment(void **state)
{
    (void)state;
    for (size_t offset = 0; offset < 9; offset++) {
        for (size_t len = 0; len < 300; len++)
            assert_int_equal(field_of(checksum_add_bytes(0, bytes + offset, len)),
                             internet_checksum(bytes + offset, len));
    }
    assert_int_equal(field_of(checksum_add_bytes(0, bytes, 65535)),
                     internet_checksum(bytes, 65535));
}

static void never_loses_a_carry(void **state)
{
    (void)state;
    static uint8_t ones[65536];
    memset(ones, 0xFF, sizeof(ones));
    for (size_t len = 0; len < 100; len++)
        assert_int_equal(field_of(checksum_add_bytes(0, ones, len)), internet_checksum(ones, len));
    assert_int_equal(checksum_fold(checksum_add_bytes(0, ones, sizeof(ones))), 0xFFFF);
    assert_int_equal(checksum_fold(UINT64_MAX), 0xFFFF);
    assert_int_equal(checksum_fold(0xFFFFFFFF00000001u),
                     1); // zero, as ones' complement has it, and one
}

static void the_fixed_lengths_agree_with_the_general_one(void **state)
{
    (void)state;
    assert_int_equal(field_of(checksum_add_4_bytes(3, bytes + 1)),
                     field_of(checksum_add_bytes(3, bytes + 1, 4)));
    assert_int_equal(field_of(checksum_add_16_bytes(3, bytes + 1)),
                     field_of(checksum_add_bytes(3, bytes + 1, 16)));
    uint16_t word;
    memcpy(&word, bytes + 1, 2);
    assert_int_equal(field_of(checksum_add_u16(3, word)),
                     field_of(checksum_add_bytes(3, bytes + 1, 2)));
}

static void what_is_subtracted_was_never_there(void **state)
{
    (void)state;
    for (size_t at = 1; at < 60; at++) { // of nothing, the sum may be either zero
        uint64_t whole = checksum_add_bytes(0, bytes, 100);
        uint64_t tail = checksum_add_bytes(0, bytes + at, 100 - at);
        uint64_t head = whole + checksum_negate(at & 1 ? checksum_shift(tail) : tail);
        assert_int_equal(field_of(head), internet_checksum(bytes, at));
    }
}

static void udp_never_says_zero(void **state)
{
    (void)state;
    assert_int_equal(checksum_field(0xFFFF), 0);
    assert_int_equal(checksum_udp_field(0xFFFF), 0xFFFF);
    assert_int_equal(checksum_udp_field(0), 0xFFFF);
    assert_int_equal(checksum_udp_field(0x1234), 0xEDCB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition_at_every_length_and_alignment),
        cmocka_unit_test(never_loses_a_carry),
        cmocka_unit_test(the_fixed_lengths_agree_with_the_general_one),
        cmocka_unit_test(what_is_subtracted_was_never_there),
        cmocka_unit_test(udp_never_says_zero),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
