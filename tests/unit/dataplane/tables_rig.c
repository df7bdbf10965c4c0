// SPDX-License-Identifier: BSD-3-Clause
#include "tables_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define CLIENT_LEN 64

static const uint8_t client_ip[4] = {192, 0, 2, 7};
static struct plane_config config;

int tables_rig_set_up(void **state)
{
    struct tables *tables = calloc(1, sizeof(*tables));
    rig_config(&config, 1);
    config.allocations_per_worker = TABLES_RIG_ALLOCATIONS;
    config.permissions_per_worker = TABLES_RIG_PERMISSIONS;
    config.channels_per_worker = TABLES_RIG_CHANNELS;
    config.steerings_per_worker = TABLES_RIG_STEERINGS;
    config.max_bps = 1;
    assert_int_equal(tables_init(tables, &config, SOCKET_ID_ANY), 0);
    *state = tables;
    return 0;
}

int tables_rig_tear_down(void **state)
{
    tables_done(*state);
    free(*state);
    return 0;
}

static struct client_key client_of(uint16_t port)
{
    char client[CLIENT_LEN];
    snprintf(client, sizeof(client), "192.0.2.7:%u", port);
    return rig_client(client);
}

int tables_rig_install_allocation(struct tables *tables, uint32_t id, uint16_t client_port)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    command.install_allocation.client = client_of(client_port);
    command.install_allocation.adjacency = RIG_TO_CLIENTS;
    command.install_allocation.relay_v4 = RIG_RELAY_V4;
    command.install_allocation.relay_v4_port = (uint16_t)(50000 + id);
    command.install_allocation.relay_v6 = RIG_RELAY_V6;
    command.install_allocation.relay_v6_port = (uint16_t)(50000 + id);
    return allocation_table_install(tables, &command);
}

int tables_rig_remove_allocation(struct tables *tables, uint32_t id)
{
    struct command command;
    unsigned budget = 1000;
    int error = 1;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    assert_true(removal_step_allocation(tables, &command, &budget, &error));
    return error;
}

static struct command permission_command(uint32_t id, const char *peer)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    assert_int_equal(ip_address_parse(peer, &command.permission.peer), 0);
    command.permission.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    return command;
}

int tables_rig_install_permission(struct tables *tables, uint32_t id, const char *peer)
{
    struct command command = permission_command(id, peer);
    return permission_table_install(tables, &command);
}

int tables_rig_remove_permission(struct tables *tables, uint32_t id, const char *peer)
{
    struct command command = permission_command(id, peer);
    return permission_table_remove(tables, &command);
}

static struct command channel_command(uint32_t id, uint16_t number, const char *peer)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.allocation = id;
    command.channel.number = number;
    assert_int_equal(transport_address_parse(peer, &command.channel.peer), 0);
    command.channel.path = (struct peer_path){RIG_TO_PEERS, RELAY_NONE};
    return command;
}

int tables_rig_install_channel(struct tables *tables, uint32_t id, uint16_t number,
                               const char *peer)
{
    struct command command = channel_command(id, number, peer);
    return channel_table_install(tables, &command);
}

int tables_rig_remove_channel(struct tables *tables, uint32_t id, uint16_t number)
{
    struct command command = channel_command(id, number, "192.0.2.1:1");
    return channel_table_remove(tables, &command);
}

static struct command steering_command(uint16_t client_port, uint16_t owner)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.steering.client = client_of(client_port);
    command.steering.owner = owner;
    return command;
}

int tables_rig_install_steering(struct tables *tables, uint16_t client_port, uint16_t owner)
{
    struct command command = steering_command(client_port, owner);
    return steering_table_install(tables, &command);
}

int tables_rig_remove_steering(struct tables *tables, uint16_t client_port)
{
    struct command command = steering_command(client_port, 0);
    return steering_table_remove(tables, &command);
}

struct channel *tables_rig_channel(const struct tables *tables, uint16_t client_port,
                                   uint16_t number)
{
    struct flow_key key;
    tables_client_key(tables, &key, RIG_LISTENER_V4, IP_FAMILY_V4, client_ip,
                      __builtin_bswap16(client_port), number);
    uint32_t index = tables_find(tables, &key);
    return index == TABLE_NONE ? NULL : &tables->channels.at[index];
}

void tables_rig_report_all(struct tables *tables)
{
    struct punt punt;
    while (removal_next_report(tables, &punt))
        removal_reported(tables);
}

void tables_rig_assert_empty(const struct tables *tables)
{
    assert_int_equal(tables->flows.count, 0);
    assert_int_equal(index_pool_used(&tables->allocations.pool), 0);
    assert_int_equal(index_pool_used(&tables->permissions.pool), 0);
    assert_int_equal(index_pool_used(&tables->channels.pool), 0);
    assert_int_equal(index_pool_used(&tables->steerings.pool), 0);
    assert_int_equal(tables->permissions.live_count, 0);
    for (unsigned port = RELAY_MIN_PORT; port <= 65535; port++) {
        assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V4, (uint16_t)port)->allocation,
                         TABLE_NONE);
        assert_int_equal(tables_relay_slot(tables, RIG_RELAY_V6, (uint16_t)port)->allocation,
                         TABLE_NONE);
    }
}
