// SPDX-License-Identifier: BSD-3-Clause
// What routers have said of the ways to peers and clients (RFC 1191, RFC 8201).
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

static unsigned set_of(uint32_t index)
{
    return index * 0x9E3779B1u >> 22;
}

static_assert(PATH_MTU_SETS == 1 << (32 - 22), "a hash is a set's number");

void path_mtu_table_set(struct path_mtu_table *table, uint32_t index, uint16_t mtu, uint32_t now_s)
{
    struct path_mtu *set = table->at[set_of(index)];
    struct path_mtu *place = &set[0];
    for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
        if (set[i].expires_s != 0 && set[i].index == index) {
            place = &set[i];
            break;
        }
        if (set[i].expires_s < place->expires_s)
            place = &set[i];
    }
    *place = (struct path_mtu){index, now_s + PATH_MTU_LIFETIME_S, mtu};
}

uint16_t path_mtu_table_get(const struct path_mtu_table *table, uint32_t index, uint32_t now_s)
{
    const struct path_mtu *set = table->at[set_of(index)];
    for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
        if (set[i].index == index && set[i].expires_s > now_s)
            return set[i].mtu;
    }
    return 0;
}

// False: that much is known already. What the table has of one that is not narrow was of another,
// which had its place.
static bool learn(struct worker *worker, struct path_mtu_table *table, uint32_t index,
                  bool is_narrow, uint16_t mtu)
{
    uint16_t known = is_narrow ? path_mtu_table_get(table, index, worker->now_s) : 0;
    if (known != 0 && known <= mtu)
        return false;
    path_mtu_table_set(table, index, mtu, worker->now_s);
    worker_count(worker, COUNTER_PATH_MTU);
    return true;
}

void path_mtu_learn_peer(struct worker *worker, uint32_t permission, uint16_t mtu)
{
    bool is_narrow = worker->tables.permissions.at[permission].is_narrow;
    if (learn(worker, &worker->path_mtus_of_peers, permission, is_narrow, mtu))
        permission_table_set_narrow(&worker->tables, permission, true);
}

void path_mtu_learn_client(struct worker *worker, uint32_t allocation, uint16_t mtu)
{
    bool is_narrow = worker->tables.allocations.at[allocation].is_narrow;
    if (learn(worker, &worker->path_mtus_of_clients, allocation, is_narrow, mtu))
        allocation_table_set_narrow(&worker->tables, allocation, true);
}

uint16_t path_mtu_of_peer(struct worker *worker, uint32_t permission)
{
    uint16_t mtu = path_mtu_table_get(&worker->path_mtus_of_peers, permission, worker->now_s);
    if (mtu == 0)
        permission_table_set_narrow(&worker->tables, permission, false);
    return mtu;
}

uint16_t path_mtu_of_client(struct worker *worker, uint32_t allocation)
{
    uint16_t mtu = path_mtu_table_get(&worker->path_mtus_of_clients, allocation, worker->now_s);
    if (mtu == 0)
        allocation_table_set_narrow(&worker->tables, allocation, false);
    return mtu;
}
