// SPDX-License-Identifier: BSD-3-Clause
// The registered reason phrases.
#include "proto/stun.h"

#include "support.h"

static void gives_the_registered_phrase_of_every_error_that_turn_uses(void **state)
{
    static const struct {
        unsigned error;
        const char *reason;
    } cases[] = {
        {300, "Try Alternate"},
        {400, "Bad Request"},
        {401, "Unauthenticated"},
        {403, "Forbidden"},
        {420, "Unknown Attribute"},
        {437, "Allocation Mismatch"},
        {438, "Stale Nonce"},
        {440, "Address Family not Supported"},
        {441, "Wrong Credentials"},
        {442, "Unsupported Transport Protocol"},
        {443, "Peer Address Family Mismatch"},
        {446, "Connection Already Exists"},
        {447, "Connection Timeout or Failure"},
        {486, "Allocation Quota Reached"},
        {500, "Server Error"},
        {508, "Insufficient Capacity"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(stun_error_reason(cases[i].error), cases[i].reason);
}

static void gives_some_phrase_for_any_other_error(void **state)
{
    (void)state;
    assert_string_equal(stun_error_reason(0), "Error");
    assert_string_equal(stun_error_reason(699), "Error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_registered_phrase_of_every_error_that_turn_uses),
        cmocka_unit_test(gives_some_phrase_for_any_other_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
