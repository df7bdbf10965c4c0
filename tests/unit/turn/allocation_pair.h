// SPDX-License-Identifier: BSD-3-Clause
// Two allocations of worker 0, of two workers, and the addresses that they and their peers keep:
// what tests of permissions and channels stand on.
#pragma once

#include "turn/allocation.h"

#include "turn_fixture.h"

struct allocation_pair {
    struct address_store addresses;
    struct allocation_table allocations;
    struct allocation *one;
    struct allocation *other;
};

static const struct siphash_key pair_key = {{1, 2}};

static inline void allocation_pair_init(struct allocation_pair *pair)
{
    struct five_tuple one = client_make(1).five_tuple;
    struct five_tuple other = client_make(2).five_tuple;
    assert_int_equal(address_store_init(&pair->addresses, 16, &pair_key), 0);
    assert_int_equal(
        allocation_table_init(&pair->allocations, 8, 8, 2, &pair->addresses, &pair_key), 0);
    pair->one = allocation_create(&pair->allocations, &one, 0);
    pair->other = allocation_create(&pair->allocations, &other, 0);
}

static inline void allocation_pair_done(struct allocation_pair *pair)
{
    allocation_table_done(&pair->allocations);
    address_store_done(&pair->addresses);
}
