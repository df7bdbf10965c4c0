// SPDX-License-Identifier: BSD-3-Clause
// bench/load/payload.h.
#include "payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct payload sent = {0x01020304, 0xFFFFFFFE, UINT64_C(0x123456789ABCDEF0), 1, false};

static int set_up(void **state)
{
    (void)state;
    payload_setup(3);
    return 0;
}

static void is_read_as_it_was_written_whatever_its_length(void **state)
{
    (void)state;
    for (size_t len = PAYLOAD_MIN_LEN; len <= PAYLOAD_MAX_LEN; len++) {
        uint8_t bytes[PAYLOAD_MAX_LEN];
        struct payload read;
        payload_write(bytes, len, &sent);
        assert_true(payload_read(bytes, len, &read));
        assert_int_equal(read.flow, sent.flow);
        assert_int_equal(read.number, sent.number);
        assert_int_equal(read.sent, len < PAYLOAD_TIMED_LEN ? 0 : sent.sent);
        assert_int_equal(read.direction, sent.direction);
    }
}

static void assert_every_bit_is_checked(size_t len)
{
    uint8_t bytes[PAYLOAD_MAX_LEN];
    struct payload read;
    payload_write(bytes, len, &sent);
    for (unsigned bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(payload_read(bytes, len, &read));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(payload_read(bytes, len, &read));
}

static void every_bit_is_checked(void **state)
{
    (void)state;
    assert_every_bit_is_checked(PAYLOAD_MIN_LEN);
    assert_every_bit_is_checked(PAYLOAD_TIMED_LEN - 1);
    assert_every_bit_is_checked(200);
}

static void a_byte_more_or_less_is_wrong(void **state)
{
    (void)state;
    uint8_t bytes[201] = {0};
    struct payload read;
    payload_write(bytes, 200, &sent);
    assert_false(payload_read(bytes, 199, &read));
    assert_false(payload_read(bytes, 201, &read));
    assert_false(payload_read(bytes, PAYLOAD_MIN_LEN, &read));
    assert_false(payload_read(bytes, 0, &read));
}

static void two_packets_have_different_patterns(void **state)
{
    (void)state;
    uint8_t first[160], second[160];
    struct payload next = sent;
    next.number++;
    payload_write(first, sizeof(first), &sent);
    payload_write(second, sizeof(second), &next);
    assert_memory_not_equal(first + PAYLOAD_TIMED_LEN, second + PAYLOAD_TIMED_LEN,
                            sizeof(first) - PAYLOAD_TIMED_LEN);
}

static void what_has_the_common_pattern_differs_in_its_head_alone(void **state)
{
    (void)state;
    uint8_t first[160], second[160];
    struct payload common = sent, next, read;
    common.has_common_pattern = true;
    next = common;
    next.flow++;
    payload_write(first, sizeof(first), &common);
    payload_write(second, sizeof(second), &next);
    assert_memory_equal(first + PAYLOAD_TIMED_LEN, second + PAYLOAD_TIMED_LEN,
                        sizeof(first) - PAYLOAD_TIMED_LEN);
    assert_true(payload_read(second, sizeof(second), &read));
    assert_int_equal(read.flow, next.flow);
    assert_int_equal(read.direction, next.direction);
    second[159] ^= 1;
    assert_false(payload_read(second, sizeof(second), &read));
}

static void another_run_is_not_taken_for_this_one(void **state)
{
    (void)state;
    uint8_t bytes[160];
    struct payload read;
    payload_write(bytes, sizeof(bytes), &sent);
    payload_setup(4);
    assert_false(payload_read(bytes, sizeof(bytes), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_read_as_it_was_written_whatever_its_length, set_up),
        cmocka_unit_test_setup(every_bit_is_checked, set_up),
        cmocka_unit_test_setup(a_byte_more_or_less_is_wrong, set_up),
        cmocka_unit_test_setup(two_packets_have_different_patterns, set_up),
        cmocka_unit_test_setup(what_has_the_common_pattern_differs_in_its_head_alone, set_up),
        cmocka_unit_test_setup(another_run_is_not_taken_for_this_one, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
