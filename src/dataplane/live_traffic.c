// SPDX-License-Identifier: BSD-3-Clause
// See dataplane/live_traffic.h. Trees may change under the reader: whatever index it comes across
// is one of its table, a walk has bounds, and a channel says itself whose it is.
#include "dataplane/live_traffic.h"

#include "dataplane/allowance.h"
#include "dataplane/worker_state.h"

#define TRIES 4

#define READ(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)

struct live_sums {
    int64_t packets[2]; // by enum direction
    int64_t bytes[2];
};

// The members of a tree that others may be changing.
struct live_walk {
    struct index_tree_nodes nodes;
    uint32_t capacity;
    unsigned steps_left;
    uint32_t pending[INDEX_TREE_LEVELS_MAX + 1];
    unsigned count;
};

static void push(struct live_walk *walk, uint32_t index)
{
    if (index < walk->capacity && walk->count < INDEX_TREE_LEVELS_MAX + 1)
        walk->pending[walk->count++] = index;
}

static struct live_walk walk_begin(struct index_tree_nodes nodes, uint32_t capacity, uint32_t root)
{
    struct live_walk walk = {
        .nodes = nodes, .capacity = capacity, .steps_left = LIVE_TRAFFIC_CHANNELS_MAX};
    push(&walk, root);
    return walk;
}

static uint32_t walk_next(struct live_walk *walk)
{
    if (walk->count == 0 || walk->steps_left-- == 0)
        return TABLE_NONE;
    uint32_t index = walk->pending[--walk->count];
    const struct index_tree_node *node = index_tree_node(walk->nodes, index);
    push(walk, READ(node->children[0]));
    push(walk, READ(node->children[1]));
    return index;
}

// What allowance_settle() would count.
static void add_way(struct live_sums *sums, const struct channel_way *way, enum direction direction)
{
    int64_t packets = READ(way->packets);
    sums->packets[direction] += packets;
    sums->bytes[direction] -= READ(way->allowance) + packets * ALLOWANCE_PACKET_LEN;
}

static void add_channels(struct live_sums *sums, const struct tables *tables, uint32_t permission,
                         uint32_t allocation, unsigned *left)
{
    const struct channel_table *channels = &tables->channels;
    const struct index_tree_nodes nodes = {channels->places, sizeof(channels->places[0])};
    struct live_walk walk = walk_begin(nodes, channels->pool.capacity,
                                       READ(tables->permissions.at[permission].channels));
    uint32_t index;
    while (*left > 0 && (index = walk_next(&walk)) != TABLE_NONE) {
        const struct channel *channel = &channels->at[index];
        (*left)--;
        if (READ(channel->peer_family) == IP_FAMILY_NONE ||
            (uint32_t)(READ(channel->peer[1]) >> 32) != allocation)
            continue;
        add_way(sums, &channel->to_peer, DIRECTION_TO_PEER);
        add_way(sums, &channel->to_client, DIRECTION_TO_CLIENT);
    }
}

static void add_allocation(struct live_sums *sums, const struct tables *tables, uint32_t allocation)
{
    const struct permission_table *permissions = &tables->permissions;
    const struct index_tree_nodes nodes = {permissions->nodes, sizeof(permissions->nodes[0])};
    unsigned left = LIVE_TRAFFIC_CHANNELS_MAX;
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        uint32_t root = READ(tables->allocations.at[allocation].permissions[family]);
        struct live_walk walk = walk_begin(nodes, permissions->pool.capacity, root);
        uint32_t index;
        while (left > 0 && (index = walk_next(&walk)) != TABLE_NONE)
            add_channels(sums, tables, index, allocation, &left);
    }
}

static struct live_sums read_traffic(const struct allocation_traffic *traffic)
{
    return (struct live_sums){
        .packets = {(int64_t)READ(traffic->to_peer_packets),
                    (int64_t)READ(traffic->to_client_packets)},
        .bytes = {(int64_t)READ(traffic->to_peer_bytes), (int64_t)READ(traffic->to_client_bytes)},
    };
}

static uint64_t not_below_zero(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

// When a channel takes a piece meanwhile, that is in one sum and not in the other.
static struct live_sums read_steadily(const struct tables *tables, uint32_t index)
{
    const struct allocation_traffic *traffic = &tables->allocations.at[index].traffic;
    struct live_sums before = read_traffic(traffic), after, sums;
    for (unsigned i = 0; i < TRIES; i++) {
        sums = before;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        add_allocation(&sums, tables, index);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        after = read_traffic(traffic);
        if (memcmp(&before, &after, sizeof(before)) == 0)
            break;
        before = after;
    }
    return sums;
}

bool worker_get_traffic(const struct worker *worker, uint32_t id,
                        struct allocation_traffic *ret_traffic)
{
    const struct tables *tables = &worker->tables;
    uint32_t index =
        id < tables->allocations.id_count ? READ(tables->allocations.by_id[id]) - 1 : TABLE_NONE;
    if (index >= tables->allocations.pool.capacity)
        return false;
    struct live_sums sums = read_steadily(tables, index);
    *ret_traffic = (struct allocation_traffic){
        .to_peer_packets = not_below_zero(sums.packets[DIRECTION_TO_PEER]),
        .to_peer_bytes = not_below_zero(sums.bytes[DIRECTION_TO_PEER]),
        .to_client_packets = not_below_zero(sums.packets[DIRECTION_TO_CLIENT]),
        .to_client_bytes = not_below_zero(sums.bytes[DIRECTION_TO_CLIENT]),
    };
    return true;
}
