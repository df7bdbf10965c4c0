// SPDX-License-Identifier: BSD-3-Clause
// See base/index_lists.h.
#include "base/index_lists.h"

#include <errno.h>
#include <stdlib.h>

int index_lists_init(struct index_lists *lists, uint32_t capacity)
{
    struct index_lists_link *links = calloc(capacity ? capacity : 1, sizeof(*links));
    if (links == NULL)
        return -ENOMEM;
    lists->links = links;
    return 0;
}

void index_lists_done(struct index_lists *lists)
{
    free(lists->links);
    lists->links = NULL;
}

void index_lists_add(struct index_lists *lists, uint32_t *first, uint32_t index)
{
    lists->links[index] = (struct index_lists_link){.next = *first, .previous = INDEX_NONE};
    if (*first != INDEX_NONE)
        lists->links[*first].previous = index;
    *first = index;
}

void index_lists_remove(struct index_lists *lists, uint32_t *first, uint32_t index)
{
    struct index_lists_link link = lists->links[index];
    if (link.next != INDEX_NONE)
        lists->links[link.next].previous = link.previous;
    if (link.previous != INDEX_NONE)
        lists->links[link.previous].next = link.next;
    else
        *first = link.next;
}
