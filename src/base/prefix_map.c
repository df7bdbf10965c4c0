// SPDX-License-Identifier: BSD-3-Clause
// Of two prefixes one has the other, or they have nothing in common. So they cut the addresses into
// ranges of one value each, two at most for each prefix, which a binary search goes through.
#include "base/prefix_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

// Of those that have one address each has a length of its own.
#define NESTED_MAX 129

// As far as the next one. Where several begin with one address the last one counts: the others are
// empty.
struct range {
    struct ip_address first;
    uint8_t value;
};

struct prefix_map {
    size_t count;
    struct range ranges[];
};

// Where the ranges are made: prefixes that have the address which has been reached.
struct nest {
    struct prefix_map *map;
    const struct prefix_map_rule *rules[NESTED_MAX];
    unsigned depth;
};

// What has others stands before them.
static int compare_rules(const void *left, const void *right)
{
    const struct prefix_map_rule *a = left, *b = right;
    int order = ip_address_compare(&a->prefix.ip, &b->prefix.ip);

    if (order != 0)
        return order;
    if (a->prefix.length != b->prefix.length)
        return a->prefix.length < b->prefix.length ? -1 : 1;
    return (int)a->value - (int)b->value;
}

static bool is_same(const struct ip_prefix *a, const struct ip_prefix *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static void begin_range(struct nest *nest, const struct ip_address *first)
{
    struct prefix_map *map = nest->map;
    uint8_t value = nest->depth > 0 ? nest->rules[nest->depth - 1]->value : PREFIX_MAP_NONE;

    map->ranges[map->count++] = (struct range){*first, value};
}

static void leave(struct nest *nest)
{
    const struct ip_prefix *prefix = &nest->rules[--nest->depth]->prefix;
    struct ip_address behind;

    if (ip_prefix_behind(prefix, &behind))
        begin_range(nest, &behind);
}

static void enter(struct nest *nest, const struct prefix_map_rule *rule)
{
    while (nest->depth > 0 &&
           !ip_prefix_contains(&nest->rules[nest->depth - 1]->prefix, &rule->prefix.ip))
        leave(nest);
    assert(nest->depth < NESTED_MAX);
    nest->rules[nest->depth++] = rule;
    begin_range(nest, &rule->prefix.ip);
}

int prefix_map_create(struct prefix_map_rule *rules, size_t count, struct prefix_map **ret_map)
{
    struct nest nest = {.map = calloc(1, sizeof(*nest.map) + 2 * count * sizeof(struct range))};

    if (!nest.map)
        return -ENOMEM;
    if (count > 0)
        qsort(rules, count, sizeof(*rules), compare_rules);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !is_same(&rules[i].prefix, &rules[i - 1].prefix))
            enter(&nest, &rules[i]);
    }
    while (nest.depth > 0)
        leave(&nest);
    *ret_map = nest.map;
    return 0;
}

void prefix_map_destroy(struct prefix_map *map)
{
    free(map);
}

uint8_t prefix_map_find(const struct prefix_map *map, const struct ip_address *ip)
{
    size_t low = 0, high = map->count; // how many ranges do not begin behind it

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ip_address_compare(&map->ranges[middle].first, ip) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && map->ranges[low - 1].first.family == ip->family ? map->ranges[low - 1].value
                                                                      : PREFIX_MAP_NONE;
}
