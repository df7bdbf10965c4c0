// SPDX-License-Identifier: BSD-3-Clause
// The clients that one worker knows another to own: their packets are handed there. Written and
// read by that worker alone.
#pragma once

#include "dataplane/table_memory.h"
#include "dataplane/table_value.h"
#include "exchange/command.h"
#include "exchange/plane.h"

#include <assert.h>
#include <stdint.h>

struct tables;

struct steering {
    uint8_t client_ip[16];
    uint16_t client_port_be;
    uint8_t client_family;
    uint8_t listener;
    uint16_t owner;
} __attribute__((aligned(32)));

static_assert(sizeof(struct steering) == 32, "two a cache line");

struct steering_table {
    struct steering *at;
    struct index_pool pool;
};

// Its part of the tables' block; done twice, see struct table_cutter.
void steering_table_cut(struct steering_table *table, const struct plane_config *config,
                        struct table_cutter *cutter);

// 0; -ENOSPC; -ENOENT: nothing to remove; -EINVAL: a listener that cannot be.
int steering_table_install(struct tables *tables, const struct command *command);
int steering_table_remove(struct tables *tables, const struct command *command);
