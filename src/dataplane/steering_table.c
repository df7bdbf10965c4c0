// SPDX-License-Identifier: BSD-3-Clause
// Which other worker owns a client.
#include "dataplane/steering_table.h"

#include "dataplane/tables.h"

#include <errno.h>
#include <string.h>

void steering_table_cut(struct steering_table *table, const struct plane_config *config,
                        struct table_cutter *cutter)
{
    uint32_t capacity = config->steerings_per_worker;
    table->at = table_cut(cutter, sizeof(struct steering), capacity);
    index_pool_init_in(&table->pool, table->at, sizeof(table->at[0]), capacity);
}

static struct flow_key key_of_command(const struct tables *tables, const struct command *command)
{
    const struct client_key *client = &command->steering.client;
    struct flow_key key;
    tables_steering_key(tables, &key, (uint8_t)client->listener, (uint8_t)client->address.ip.family,
                        client->address.ip.bytes, __builtin_bswap16(client->address.port));
    return key;
}

static struct steering steering_of(struct flow_key key, uint16_t owner)
{
    key.words[1] &= ~STEERING_NUMBER_MASK;
    key.words[1] |= (uint64_t)owner << FLOW_KEY_NUMBER_SHIFT;
    return (struct steering){key};
}

static void give(struct tables *tables, uint32_t index)
{
    tables->steerings.at[index] = (struct steering){.client = {.words = {0, 0}}}; // nobody's
    index_pool_give(&tables->steerings.pool, index);
}

int steering_table_install(struct tables *tables, const struct command *command)
{
    if (command->steering.client.listener >= plane_listener_total(tables->config))
        return -EINVAL;
    struct flow_key key = key_of_command(tables, command);
    uint32_t index = tables_find(tables, &key);
    if (index != TABLE_NONE) {
        tables->steerings.at[index] = steering_of(key, command->steering.owner);
        return 0;
    }
    index = index_pool_take(&tables->steerings.pool);
    if (index == TABLE_NONE)
        return -ENOSPC;
    tables->steerings.at[index] = steering_of(key, command->steering.owner);
    int error = tables_insert(tables, TABLE_VALUE_STEERING, index);
    if (error != 0)
        give(tables, index);
    return error;
}

int steering_table_remove(struct tables *tables, const struct command *command)
{
    if (command->steering.client.listener >= plane_listener_total(tables->config))
        return -EINVAL;
    struct flow_key key = key_of_command(tables, command);
    uint32_t index = tables_find(tables, &key);
    if (index == TABLE_NONE)
        return -ENOENT;
    tables_remove(tables, TABLE_VALUE_STEERING, index);
    give(tables, index);
    return 0;
}
