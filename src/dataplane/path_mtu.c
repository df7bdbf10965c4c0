// SPDX-License-Identifier: BSD-3-Clause
// What routers have said of the ways to peers (RFC 1191, RFC 8201).
#include "dataplane/path_mtu.h"

#include "dataplane/worker_state.h"

// RFC 1191 section 7.1: MTUs that links have. The first one below what did not get through is the
// guess where a router does not say.
static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, PATH_MTU_IPV4_MIN};

static uint16_t guess(uint16_t sent_len)
{
    for (unsigned i = 0; i < RTE_DIM(plateaus); i++) {
        if (plateaus[i] < sent_len)
            return plateaus[i];
    }
    return 0;
}

uint16_t path_mtu_told(uint8_t family, uint32_t mtu, uint16_t sent_len)
{
    if (family == IP_FAMILY_V4 && mtu == 0)
        return guess(sent_len);
    if (family == IP_FAMILY_V4 && mtu < PATH_MTU_IPV4_MIN)
        mtu = PATH_MTU_IPV4_MIN;
    // RFC 8201 section 4: what claims less than every link has is discarded.
    if (family == IP_FAMILY_V6 && mtu < PATH_MTU_IPV6_MIN)
        return 0;
    return mtu < sent_len ? (uint16_t)mtu : 0;
}

static unsigned set_of(uint32_t permission)
{
    return permission * 0x9E3779B1u >> 22;
}

static_assert(PATH_MTU_SETS == 1 << (32 - 22), "a hash is a set's number");

void path_mtu_table_set(struct path_mtu_table *table, uint32_t permission, uint16_t mtu,
                        uint32_t now_s)
{
    struct path_mtu *set = table->at[set_of(permission)];
    struct path_mtu *place = &set[0];
    for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
        if (set[i].expires_s != 0 && set[i].permission == permission) {
            place = &set[i];
            break;
        }
        if (set[i].expires_s < place->expires_s)
            place = &set[i];
    }
    *place = (struct path_mtu){permission, now_s + PATH_MTU_LIFETIME_S, mtu};
}

uint16_t path_mtu_table_get(const struct path_mtu_table *table, uint32_t permission, uint32_t now_s)
{
    const struct path_mtu *set = table->at[set_of(permission)];
    for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
        if (set[i].permission == permission && set[i].expires_s > now_s)
            return set[i].mtu;
    }
    return 0;
}

// What the table has of a permission that is not narrow was of another one, which had its place.
void path_mtu_learn(struct worker *worker, uint32_t permission, uint16_t mtu)
{
    struct path_mtu_table *table = &worker->path_mtus;
    uint16_t known = worker->tables.permissions.at[permission].is_narrow
                         ? path_mtu_table_get(table, permission, worker->now_s)
                         : 0;
    if (known != 0 && known <= mtu)
        return;
    path_mtu_table_set(table, permission, mtu, worker->now_s);
    permission_table_set_narrow(&worker->tables, permission, true);
    worker_count(worker, COUNTER_PATH_MTU);
}

uint16_t path_mtu_of(struct worker *worker, uint32_t permission)
{
    uint16_t mtu = path_mtu_table_get(&worker->path_mtus, permission, worker->now_s);
    if (mtu == 0)
        permission_table_set_narrow(&worker->tables, permission, false);
    return mtu;
}
