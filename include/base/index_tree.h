// SPDX-License-Identifier: BSD-3-Clause
// Search trees over array indices, for whoever keeps many small sets in one array: a set costs its
// root, a member two words, and a set of one member nothing to search. Digital search trees: below
// a member are those whose path goes on with a 0, or with a 1. So nothing is balanced, and a path
// that others can choose has to be short, or the outcome of a keyed hash.
#pragma once

#include "base/index_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Members above each other, at most. With hashes as paths a set of thousands has less than half as
// many.
#define INDEX_TREE_LEVELS_MAX 64

struct index_tree_node {
    uint32_t children[2]; // INDEX_NONE
};

// Where the members' nodes are: of each index one, at the beginning of an element.
struct index_tree_nodes {
    void *elements;
    size_t element_len;
};

static inline struct index_tree_node *index_tree_node(struct index_tree_nodes nodes, uint32_t index)
{
    return (struct index_tree_node *)((uint8_t *)nodes.elements + index * nodes.element_len);
}

// root: INDEX_NONE of an empty set. path: the member's own, its lowest bit first; other members may
// have the same. False: there would be too many levels, and nothing was done.
bool index_tree_insert(struct index_tree_nodes nodes, uint32_t *root, uint32_t index,
                       uint64_t path);
// It was inserted with that root and path.
void index_tree_remove(struct index_tree_nodes nodes, uint32_t *root, uint32_t index,
                       uint64_t path);

// To search: from the root on, until it is the member that is meant, or INDEX_NONE. Shifts the
// path.
static inline uint32_t index_tree_below(struct index_tree_nodes nodes, uint32_t index,
                                        uint64_t *path)
{
    unsigned side = *path & 1;
    *path >>= 1;
    return index_tree_node(nodes, index)->children[side];
}

// All members, while the tree stays as it is.
struct index_tree_walk {
    uint32_t pending[INDEX_TREE_LEVELS_MAX + 1];
    unsigned count;
};

void index_tree_walk_begin(struct index_tree_walk *walk, uint32_t root);
// INDEX_NONE: that was all.
uint32_t index_tree_walk_next(struct index_tree_walk *walk, struct index_tree_nodes nodes);
