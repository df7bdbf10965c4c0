// SPDX-License-Identifier: BSD-3-Clause
// The system's random source over a faked getrandom that is interrupted and gives less than asked
// for.
#include "base/random.h"

#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static unsigned calls;
static uint8_t next;

// Takes the C library's place in this executable: every fourth call fails, the others give at most
// 100 bytes, which count.
ssize_t getrandom(void *bytes, size_t len, unsigned flags)
{
    size_t given = len < 100 ? len : 100;

    assert_int_equal(flags, 0);
    if (calls++ % 4 == 0) {
        errno = EINTR;
        return -1;
    }
    for (size_t i = 0; i < given; i++)
        ((uint8_t *)bytes)[i] = next++;
    return (ssize_t)given;
}

static void fills_every_byte_though_calls_are_interrupted_and_short(void **state)
{
    uint8_t bytes[301];

    (void)state;
    bytes[300] = 0xEE;
    calls = 0;
    next = 7;
    random_fill(&random_system, bytes, 300);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(bytes[i], (uint8_t)(7 + i));
    assert_int_equal(bytes[300], 0xEE);
}

static void small_draws_share_a_call_and_no_byte(void **state)
{
    static const uint8_t lens[] = {2, 32, 1, 8, 31};
    uint8_t bytes[33], last;
    unsigned before = calls;
    size_t drawn = 0;

    (void)state;
    random_fill(&random_system, &last, 1);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t len = lens[i % sizeof(lens)];

        bytes[len] = 0xEE;
        random_fill(&random_system, bytes, len);
        assert_int_equal(bytes[len], 0xEE);
        // One after the other, but for what was left over when more was wanted.
        for (unsigned at = 1; at < len; at++)
            assert_int_equal(bytes[at], (uint8_t)(bytes[0] + at));
        assert_true((uint8_t)(bytes[0] - last) >= 1 && (uint8_t)(bytes[0] - last) <= 32);
        last = bytes[len - 1];
        drawn += len;
    }
    // Three calls and an interruption serve 256 bytes, of which up to 31 are left over.
    assert_true(calls - before <= 5 * (drawn / (256 - 31) + 1));
}

static void asks_for_nothing_when_nothing_is_wanted(void **state)
{
    (void)state;
    calls = 0;
    random_fill(&random_system, NULL, 0);
    assert_int_equal(calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_every_byte_though_calls_are_interrupted_and_short),
        cmocka_unit_test(small_draws_share_a_call_and_no_byte),
        cmocka_unit_test(asks_for_nothing_when_nothing_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
