// SPDX-License-Identifier: BSD-3-Clause
// base/index_tree.h.
#include "base/index_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MEMBERS 300

// Elements in which the node is not alone.
struct member {
    struct index_tree_node node;
    uint64_t path;
    bool is_in;
};

static struct member members[MEMBERS];
static const struct index_tree_nodes nodes = {members, sizeof(members[0])};

static uint64_t path_at_random(void)
{
    return (uint64_t)random() << 31 ^ (uint64_t)random();
}

static bool insert(uint32_t *root, uint32_t index, uint64_t path)
{
    members[index].path = path;
    members[index].is_in = index_tree_insert(nodes, root, index, path);
    return members[index].is_in;
}

static void remove_one(uint32_t *root, uint32_t index)
{
    index_tree_remove(nodes, root, index, members[index].path);
    members[index].is_in = false;
}

static bool is_found(uint32_t root, uint32_t index)
{
    uint64_t path = members[index].path;
    uint32_t at = root;
    while (at != INDEX_NONE && at != index)
        at = index_tree_below(nodes, at, &path);
    return at == index;
}

static void assert_all_found(uint32_t root)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_int_equal(is_found(root, i), members[i].is_in);
}

static void assert_walk_meets_all_once(uint32_t root)
{
    unsigned met[MEMBERS] = {0};
    struct index_tree_walk walk;
    index_tree_walk_begin(&walk, root);
    for (uint32_t at; (at = index_tree_walk_next(&walk, nodes)) != INDEX_NONE;)
        met[at]++;
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_int_equal(met[i], members[i].is_in);
}

static int set_up(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned i = 0; i < MEMBERS; i++)
        members[i] = (struct member){.path = path_at_random()};
    return 0;
}

static void an_empty_tree_has_nothing(void **state)
{
    (void)state;
    assert_all_found(INDEX_NONE);
    assert_walk_meets_all_once(INDEX_NONE);
}

static void finds_what_is_in_and_nothing_that_was_removed(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    unsigned count = 0;
    for (unsigned step = 0; step < 4000; step++) {
        uint32_t index = (uint32_t)random() % MEMBERS;
        if (members[index].is_in)
            remove_one(&root, index);
        else
            assert_true(insert(&root, index, path_at_random()));
        count += members[index].is_in ? 1 : UINT32_MAX;
        if (step % 16 == 0) {
            assert_all_found(root);
            assert_walk_meets_all_once(root);
        }
    }
    assert_in_range(count, 1, MEMBERS);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (members[i].is_in)
            remove_one(&root, i);
    }
    assert_int_equal(root, INDEX_NONE);
}

static void removing_the_root_takes_a_tree_apart(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    for (uint32_t i = 0; i < MEMBERS; i++)
        assert_true(insert(&root, i, path_at_random()));
    for (unsigned left = MEMBERS; left > 0; left--) {
        assert_int_not_equal(root, INDEX_NONE);
        remove_one(&root, root);
        assert_all_found(root);
    }
    assert_int_equal(root, INDEX_NONE);
}

static void several_sets_share_the_nodes(void **state)
{
    (void)state;
    uint32_t roots[2] = {INDEX_NONE, INDEX_NONE};
    for (uint32_t i = 0; i < 20; i++)
        assert_true(insert(&roots[i % 2], i, path_at_random()));
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(is_found(roots[i % 2], i));
        assert_false(is_found(roots[1 - i % 2], i));
    }
}

// As deep as it gets: a walk has room for that, and what is deeper is refused.
static void refuses_more_levels_than_a_walk_has_room_for(void **state)
{
    (void)state;
    uint32_t root = INDEX_NONE;
    for (uint32_t i = 0; i < INDEX_TREE_LEVELS_MAX; i++)
        assert_true(insert(&root, i, UINT64_MAX));
    for (uint32_t i = 0; i < INDEX_TREE_LEVELS_MAX - 1; i++) // a leaf beside each but the last
        assert_true(insert(&root, 100 + i, UINT64_MAX >> 1 & ~(UINT64_C(1) << i)));
    assert_false(insert(&root, 200, UINT64_MAX));
    assert_all_found(root);
    assert_walk_meets_all_once(root);
    remove_one(&root, INDEX_TREE_LEVELS_MAX - 1);
    assert_all_found(root);
    assert_true(insert(&root, 200, UINT64_MAX));
    assert_all_found(root);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_tree_has_nothing),
        TEST(finds_what_is_in_and_nothing_that_was_removed),
        TEST(removing_the_root_takes_a_tree_apart),
        TEST(several_sets_share_the_nodes),
        TEST(refuses_more_levels_than_a_walk_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
