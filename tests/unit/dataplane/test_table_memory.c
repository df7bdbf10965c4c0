// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/table_memory.h"

#include "rig.h"

#include <errno.h>

static void is_zeroed_aligned_and_larger_than_the_heap(void **state)
{
    (void)state;
    struct table_memory memory;
    const size_t len = (size_t)1 << 30; // the EAL was given a quarter of that
    assert_int_equal(table_memory_take(len, SOCKET_ID_ANY, &memory), 0);
    assert_int_equal((uintptr_t)memory.bytes % 128, 0);
    const uint8_t *bytes = memory.bytes;
    for (size_t at = 0; at < len; at += len / 64)
        assert_int_equal(bytes[at], 0);
    assert_int_equal(bytes[len - 1], 0);
    table_memory_give(&memory);
    assert_null(memory.bytes);
}

static void what_is_large_has_no_end_in_small_pages(void **state)
{
    (void)state;
    struct table_memory memory;
    assert_int_equal(table_memory_take(3 << 20, SOCKET_ID_ANY, &memory), 0);
    assert_false(memory.from_hugepages); // the EAL of these tests has none
    assert_int_equal(memory.len, 4 << 20);
    table_memory_give(&memory);
    assert_int_equal(table_memory_take(100000, SOCKET_ID_ANY, &memory), 0);
    assert_int_equal(memory.len, 100000);
    table_memory_give(&memory);
}

static void giving_nothing_is_harmless(void **state)
{
    (void)state;
    struct table_memory memory;
    memset(&memory, 0, sizeof(memory));
    table_memory_give(&memory);
    assert_null(memory.bytes);
}

static void refuses_more_than_there_is(void **state)
{
    (void)state;
    struct table_memory memory = {.len = 77};
    assert_int_equal(table_memory_take((size_t)1 << 60, SOCKET_ID_ANY, &memory), -ENOMEM);
    assert_int_equal(memory.len, 77);
}

static void cuts_follow_one_another_and_start_on_a_line(void **state)
{
    (void)state;
    static uint8_t block[1024] __attribute__((aligned(128)));
    struct table_cutter measure = {NULL, 0};
    struct table_cutter cutter = {block, 0};
    static const size_t counts[4] = {1, 128, 0, 129};
    static const size_t starts[4] = {0, 128, 256, 256};
    for (unsigned i = 0; i < 4; i++) {
        assert_null(table_cut(&measure, 1, counts[i]));
        assert_ptr_equal(table_cut(&cutter, 1, counts[i]), block + starts[i]);
    }
    assert_int_equal(measure.len, 512);
    assert_int_equal(cutter.len, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_zeroed_aligned_and_larger_than_the_heap),
        cmocka_unit_test(what_is_large_has_no_end_in_small_pages),
        cmocka_unit_test(giving_nothing_is_harmless),
        cmocka_unit_test(refuses_more_than_there_is),
        cmocka_unit_test(cuts_follow_one_another_and_start_on_a_line),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
