// SPDX-License-Identifier: BSD-3-Clause
// Big-endian access at any alignment.
#include "base/bytes.h"

#include "support.h"

static void loads_big_endian_at_an_odd_address(void **state)
{
    static const uint8_t bytes[] = {0xFF, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};

    (void)state;
    assert_int_equal(load_be16(bytes + 1), 0x0102);
    assert_int_equal(load_be32(bytes + 1), 0x01020304);
    assert_true(load_be64(bytes + 1) == 0x0102030405060708u);
}

static void stores_big_endian_and_nothing_beside(void **state)
{
    static const uint8_t expected[] = {0xEE, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xEE};
    uint8_t bytes[10];

    (void)state;
    memset(bytes, 0xEE, sizeof(bytes));
    store_be64(bytes + 1, 0x0102030405060708u);
    assert_memory_equal(bytes, expected, sizeof(bytes));
    memset(bytes, 0xEE, sizeof(bytes));
    store_be32(bytes + 1, 0x01020304);
    store_be16(bytes + 5, 0x0506);
    assert_memory_equal(bytes, expected, 7);
    assert_int_equal(bytes[7], 0xEE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_big_endian_at_an_odd_address),
        cmocka_unit_test(stores_big_endian_and_nothing_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
