// SPDX-License-Identifier: BSD-3-Clause
// FINGERPRINT by the words that change, against what the whole message gives.
#include "proto/fold.h"

#include "proto/fingerprint.h"
#include "support.h"

#include <stdlib.h>

#ifdef FOLD_IS_KNOWN

#define LEN_MAX 400

// Words anywhere, the last ones maybe past the end of what is covered.
static unsigned choose_offsets(size_t len, uint16_t offsets[FINGERPRINT_WORDS_MAX])
{
    unsigned count = 0;

    for (size_t offset = (size_t)rand() % 6 * 4; offset < len && count < FINGERPRINT_WORDS_MAX;
         offset += 8 + (size_t)rand() % 20 * 4)
        offsets[count++] = (uint16_t)offset;
    return count;
}

static __m128i change_words(uint8_t *message, size_t len, const uint16_t *offsets, unsigned count,
                            const struct fingerprint_plan *plan)
{
    __m128i sum = _mm_setzero_si128();

    for (unsigned i = 0; i < count; i++) {
        uint64_t word;

        for (size_t at = offsets[i]; at < offsets[i] + sizeof(word) && at < len; at++)
            message[at] = (uint8_t)rand();
        memcpy(&word, message + offsets[i], sizeof(word));
        sum = _mm_xor_si128(sum, fold_word(plan, i, word));
    }
    return sum;
}

static void knows_from_changed_words_what_the_whole_gives(void **state)
{
    uint8_t message[LEN_MAX + sizeof(uint64_t)];

    (void)state;
    if (!fold_is_usable())
        skip();
    srand(4);
    for (size_t len = 20; len <= LEN_MAX; len += 4) {
        uint16_t offsets[FINGERPRINT_WORDS_MAX];
        unsigned count = choose_offsets(len, offsets);
        struct fingerprint_plan plan;

        for (size_t i = 0; i < sizeof(message); i++)
            message[i] = (uint8_t)rand();
        fingerprint_plan_init(message, len, offsets, count, &plan);
        assert_true(plan.is_made);
        for (unsigned round = 0; round < 50; round++) {
            __m128i sum = change_words(message, len, offsets, count, &plan);

            assert_int_equal(plan.rest ^ fold_reduce(sum), fingerprint(message, len));
        }
    }
}

#else

static void makes_no_plan_that_it_cannot_follow(void **state)
{
    static const uint8_t message[32];
    static const uint16_t offsets[] = {8};
    struct fingerprint_plan plan = {.is_made = true};

    (void)state;
    fingerprint_plan_init(message, sizeof(message), offsets, 1, &plan);
    assert_false(plan.is_made);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef FOLD_IS_KNOWN
        cmocka_unit_test(knows_from_changed_words_what_the_whole_gives),
#else
        cmocka_unit_test(makes_no_plan_that_it_cannot_follow),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
