// SPDX-License-Identifier: BSD-3-Clause
// One worker's tables without the worker, small enough to fill up, and the commands that fill them.
#pragma once

#include "dataplane/tables.h"

#include "rig.h"

#define TABLES_RIG_ALLOCATIONS 8
#define TABLES_RIG_PERMISSIONS 10
#define TABLES_RIG_CHANNELS    6
#define TABLES_RIG_STEERINGS   2

// cmocka set-up and tear-down: the state is empty tables.
int tables_rig_set_up(void **state);
int tables_rig_tear_down(void **state);

// With port 50000 + id of either relay, for the client 192.0.2.7. Returns what the table does.
int tables_rig_install_allocation(struct tables *tables, uint32_t id, uint16_t client_port);
// In one step. Its error.
int tables_rig_remove_allocation(struct tables *tables, uint32_t id);
int tables_rig_install_permission(struct tables *tables, uint32_t id, const char *peer);
int tables_rig_remove_permission(struct tables *tables, uint32_t id, const char *peer);
int tables_rig_install_channel(struct tables *tables, uint32_t id, uint16_t number,
                               const char *peer);
int tables_rig_remove_channel(struct tables *tables, uint32_t id, uint16_t number);
int tables_rig_install_steering(struct tables *tables, uint16_t client_port, uint16_t owner);
int tables_rig_remove_steering(struct tables *tables, uint16_t client_port);

// By the client's key. NULL: none.
struct channel *tables_rig_channel(const struct tables *tables, uint16_t client_port,
                                   uint16_t number);

// Take all reports.
void tables_rig_report_all(struct tables *tables);
// Everything that was taken came back.
void tables_rig_assert_empty(const struct tables *tables);
