// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 of many inputs side by side against one after the other, which is held to its
// authors' outputs.
#include "base/siphash_lanes.h"

#include "support.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 67 // more than a burst, and no multiple of anything

static uint64_t random_word(void)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < 8; i++)
        word = word << 8 | (uint64_t)(rand() & 0xFF);
    return word;
}

static void hashes_many_as_each_alone(void **state)
{
    (void)state;
    srand(1);
    for (size_t count = 0; count <= COUNT_MAX; count++) {
        const struct siphash_key key = {{random_word(), random_word()}};
        uint64_t lasts[COUNT_MAX], hashes[COUNT_MAX];
        struct siphash_state begun;

        siphash_begin(&key, random_word(), &begun);
        for (size_t i = 0; i < count; i++)
            lasts[i] = random_word(); // the top byte is no part of it
        siphash_end_all(&begun, lasts, count, hashes);
        for (size_t i = 0; i < count; i++)
            assert_true(hashes[i] == siphash_end(&begun, NULL, 0, lasts[i]));
    }
}

static void writes_as_many_hashes_as_were_asked_for(void **state)
{
    const struct siphash_key key = {{1, 2}};
    struct siphash_state begun;

    (void)state;
    siphash_begin(&key, 3, &begun);
    for (size_t count = 0; count < COUNT_MAX; count++) {
        uint64_t lasts[COUNT_MAX] = {0}, hashes[COUNT_MAX], untouched[COUNT_MAX];

        memset(hashes, 0xA5, sizeof(hashes));
        memset(untouched, 0xA5, sizeof(untouched));
        siphash_end_all(&begun, lasts, count, hashes);
        assert_memory_equal(hashes + count, untouched, (COUNT_MAX - count) * sizeof(*hashes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_many_as_each_alone),
        cmocka_unit_test(writes_as_many_hashes_as_were_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
