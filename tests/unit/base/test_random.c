// SPDX-License-Identifier: BSD-3-Clause
// The system's random source over a faked getrandom that is interrupted and gives less than asked
// for.
#include "base/random.h"

#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static unsigned calls;

// Takes the C library's place in this executable: fails first, then gives at most three bytes a
// call.
ssize_t getrandom(void *bytes, size_t len, unsigned flags)
{
    size_t given = len < 3 ? len : 3;

    assert_int_equal(flags, 0);
    if (calls++ == 0) {
        errno = EINTR;
        return -1;
    }
    memset(bytes, (int)calls, given);
    return (ssize_t)given;
}

static void fills_every_byte_though_calls_are_interrupted_and_short(void **state)
{
    static const uint8_t expected[] = {2, 2, 2, 3, 3, 3, 4, 4, 0xEE};
    uint8_t bytes[9] = {0};

    (void)state;
    bytes[8] = 0xEE;
    calls = 0;
    random_fill(&random_system, bytes, 8);
    assert_memory_equal(bytes, expected, sizeof(expected));
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
        cmocka_unit_test(asks_for_nothing_when_nothing_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
