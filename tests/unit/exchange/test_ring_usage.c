// SPDX-License-Identifier: BSD-3-Clause
// Claims about how full rings are said to be.
#include "exchange/ring_usage.h"

#include "plane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct plane_config config = plane_fixture_config(3, 2, 16);
    struct plane *plane;

    config.kernel_ring_len = 32;
    if (plane_create(&config, &plane) != 0)
        return -1;
    *state = plane;
    return 0;
}

static int tear_down(void **state)
{
    plane_destroy(*state);
    return 0;
}

static void assert_capacity(const struct plane *plane, enum plane_ring ring, uint16_t worker,
                            uint32_t capacity)
{
    struct ring_usage usage;
    assert_true(ring_usage_get(plane, ring, worker, &usage));
    assert_int_equal(usage.entries, 0);
    assert_int_equal(usage.capacity, capacity);
}

// A ring keeps one place free.
static void rings_of_a_kind_are_added_up(void **state)
{
    const struct plane *plane = *state;
    assert_capacity(plane, PLANE_RING_COMMANDS, 1, 7);
    assert_capacity(plane, PLANE_RING_PUNTS, 2, 7);
    assert_capacity(plane, PLANE_RING_HANDOFFS, 2, 2 * 7);
    assert_capacity(plane, PLANE_RING_TO_KERNEL, 1, 31);
    assert_capacity(plane, PLANE_RING_FROM_KERNEL, 0, 31);
    assert_capacity(plane, PLANE_RING_TO_STREAMS, 1, 2 * 15);
    assert_capacity(plane, PLANE_RING_FROM_STREAMS, 1, 2 * 15);
}

static void what_waits_is_counted_for_its_worker(void **state)
{
    struct plane *plane = *state;
    struct ring_usage usage;
    struct command command = {.kind = COMMAND_REMOVE_ALLOCATION};
    struct punt punt = {.kind = PUNT_REMOVED};
    assert_int_equal(plane_command_send(plane, 1, &command), 0);
    assert_int_equal(plane_command_send(plane, 1, &command), 0);
    assert_int_equal(plane_punt_send(plane, 2, &punt), 0);
    assert_true(ring_usage_get(plane, PLANE_RING_COMMANDS, 1, &usage));
    assert_int_equal(usage.entries, 2);
    assert_true(ring_usage_get(plane, PLANE_RING_COMMANDS, 0, &usage));
    assert_int_equal(usage.entries, 0);
    assert_true(ring_usage_get(plane, PLANE_RING_PUNTS, 2, &usage));
    assert_int_equal(usage.entries, 1);
}

static void a_worker_without_such_rings_has_none(void **state)
{
    const struct plane *plane = *state;
    struct plane_config config = plane_fixture_config(1, 0, 0);
    struct plane *alone;
    struct ring_usage usage = {.entries = 77};
    assert_false(ring_usage_get(plane, PLANE_RING_FROM_KERNEL, 1, &usage));
    assert_int_equal(plane_create(&config, &alone), 0);
    assert_false(ring_usage_get(alone, PLANE_RING_HANDOFFS, 0, &usage));
    assert_false(ring_usage_get(alone, PLANE_RING_TO_STREAMS, 0, &usage));
    assert_false(ring_usage_get(alone, PLANE_RING_TO_KERNEL, 0, &usage));
    assert_int_equal(usage.entries, 77);
    plane_destroy(alone);
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned ring = 0; ring < PLANE_RING_COUNT; ring++)
        assert_non_null(plane_ring_name((enum plane_ring)ring));
    assert_string_equal(plane_ring_name(PLANE_RING_FROM_STREAMS), "from_streams");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rings_of_a_kind_are_added_up),
        CASE(what_waits_is_counted_for_its_worker),
        CASE(a_worker_without_such_rings_has_none),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
