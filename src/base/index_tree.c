// SPDX-License-Identifier: BSD-3-Clause
// See base/index_tree.h.
#include "base/index_tree.h"

bool index_tree_insert(struct index_tree_nodes nodes, uint32_t *root, uint32_t index, uint64_t path)
{
    uint32_t *link = root;
    for (unsigned level = 0; level < INDEX_TREE_LEVELS_MAX; level++, path >>= 1) {
        if (*link == INDEX_NONE) {
            *index_tree_node(nodes, index) = (struct index_tree_node){{INDEX_NONE, INDEX_NONE}};
            *link = index;
            return true;
        }
        link = &index_tree_node(nodes, *link)->children[path & 1];
    }
    return false;
}

// The link to a member without children: the given one, or one below it.
static uint32_t *link_to_leaf(struct index_tree_nodes nodes, uint32_t *link)
{
    for (;;) {
        struct index_tree_node *node = index_tree_node(nodes, *link);
        unsigned side = node->children[0] == INDEX_NONE;
        if (node->children[side] == INDEX_NONE)
            return link;
        link = &node->children[side];
    }
}

// Any leaf from below fits into the gap: what is above it there is above it now.
void index_tree_remove(struct index_tree_nodes nodes, uint32_t *root, uint32_t index, uint64_t path)
{
    uint32_t *link = root;
    for (; *link != index; path >>= 1)
        link = &index_tree_node(nodes, *link)->children[path & 1];
    uint32_t *leaf_link = link_to_leaf(nodes, link);
    uint32_t leaf = *leaf_link;
    *leaf_link = INDEX_NONE;
    if (leaf == index)
        return;
    *index_tree_node(nodes, leaf) = *index_tree_node(nodes, index);
    *link = leaf;
}

void index_tree_walk_begin(struct index_tree_walk *walk, uint32_t root)
{
    walk->count = 0;
    if (root != INDEX_NONE)
        walk->pending[walk->count++] = root;
}

uint32_t index_tree_walk_next(struct index_tree_walk *walk, struct index_tree_nodes nodes)
{
    if (walk->count == 0)
        return INDEX_NONE;
    uint32_t index = walk->pending[--walk->count];
    const struct index_tree_node *node = index_tree_node(nodes, index);
    for (unsigned side = 0; side < 2; side++) {
        if (node->children[side] != INDEX_NONE)
            walk->pending[walk->count++] = node->children[side];
    }
    return index;
}
