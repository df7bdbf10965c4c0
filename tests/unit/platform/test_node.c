// SPDX-License-Identifier: BSD-3-Clause
// Claims about what the kernel does not know; what it does know is in tests/guest.
#include "platform/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_not_there_is_on_no_node(void **state)
{
    (void)state;
    assert_true(node_of_card("ffff:ff:1f.7") < 0);
    assert_true(node_of_interface("no-such-link") < 0);
}

static void what_is_no_hardware_is_on_no_node(void **state)
{
    (void)state;
    assert_true(node_of_interface("lo") < 0);
}

static void no_cpu_is_on_a_node_that_is_none(void **state)
{
    (void)state;
    for (unsigned cpu = 0; cpu < 8; cpu++)
        assert_false(node_has_cpu(-1, cpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_on_no_node),
        cmocka_unit_test(what_is_no_hardware_is_on_no_node),
        cmocka_unit_test(no_cpu_is_on_a_node_that_is_none),
    };

    return cmocka_run_group_tests_name("platform/node", tests, NULL, NULL);
}
