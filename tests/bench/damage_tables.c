// SPDX-License-Identifier: BSD-3-Clause
// Tables that err, linked in the place of the right ones: the last key of a burst leads nowhere, so
// that a test sees whether the benchmark notices.
#include "dataplane/flow_table.h"

#include <rte_hash.h>
#include <stdlib.h>
#include <string.h>

void __real_flow_table_find(const struct flow_table *table, const uint64_t *hashes, unsigned count,
                            uint32_t *ret_values);
void __wrap_flow_table_find(const struct flow_table *table, const uint64_t *hashes, unsigned count,
                            uint32_t *ret_values);
int __real_rte_hash_lookup_bulk_data(const struct rte_hash *hash, const void **keys, uint32_t count,
                                     uint64_t *hits, void **data);
int __wrap_rte_hash_lookup_bulk_data(const struct rte_hash *hash, const void **keys, uint32_t count,
                                     uint64_t *hits, void **data);

static bool is_damaged(const char *what)
{
    const char *damage = getenv("DAMAGE");
    return damage != NULL && strcmp(damage, what) == 0;
}

void __wrap_flow_table_find(const struct flow_table *table, const uint64_t *hashes, unsigned count,
                            uint32_t *ret_values)
{
    __real_flow_table_find(table, hashes, count, ret_values);
    if (is_damaged("flow_table"))
        ret_values[count - 1] = FLOW_NONE;
}

int __wrap_rte_hash_lookup_bulk_data(const struct rte_hash *hash, const void **keys, uint32_t count,
                                     uint64_t *hits, void **data)
{
    int found = __real_rte_hash_lookup_bulk_data(hash, keys, count, hits, data);
    if (is_damaged("rte_hash"))
        *hits &= ~(UINT64_C(1) << (count - 1));
    return found;
}
