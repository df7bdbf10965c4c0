// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/steering_table.h"

#include "tables_rig.h"

#include <errno.h>

static void steerings_are_bounded_and_apart_from_allocations(void **state)
{
    struct tables *tables = *state;
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0);
    assert_int_equal(tables_rig_install_steering(tables, 1000, 3), 0);
    assert_int_equal(tables_rig_install_steering(tables, 1000, 4), 0);
    assert_int_equal(steering_owner(&tables->steerings.at[0]), 4);
    assert_int_equal(tables_rig_install_steering(tables, 1001, 3), 0);
    assert_int_equal(tables_rig_install_steering(tables, 1002, 3), -ENOSPC);
    assert_int_equal(tables_rig_remove_steering(tables, 1000), 0);
    assert_int_equal(tables_rig_remove_steering(tables, 1000), -ENOENT);
    assert_int_equal(tables_rig_install_steering(tables, 1002, 3), 0);
    assert_int_equal(tables_rig_install_allocation(tables, 1, 1000), 0); // still there
    assert_int_equal(index_pool_used(&tables->allocations.pool), 1);
}

static void refuses_a_listener_that_cannot_be(void **state)
{
    struct tables *tables = *state;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.steering.client = rig_client("192.0.2.7:1000");
    command.steering.client.listener = PLANE_LISTENERS_MAX;
    assert_int_equal(steering_table_install(tables, &command), -EINVAL);
    assert_int_equal(steering_table_remove(tables, &command), -EINVAL);
    tables_rig_assert_empty(tables);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tables_rig_set_up, tables_rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(steerings_are_bounded_and_apart_from_allocations),
        TEST(refuses_a_listener_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
