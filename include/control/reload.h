// SPDX-License-Identifier: BSD-3-Clause
// The configuration file read anew while the relay runs: checked whole, then put into force as far
// as a running relay can, or not at all.
#pragma once

#include "control/settings.h"
#include "control/tls_contexts.h"
#include "control/turn_state.h"
#include "exchange/plane.h"
#include "platform/interface.h"

#include <stdbool.h>
#include <stdint.h>

struct http_access;
struct reload;

struct reload_config { // borrowed
    const char *path;
    struct settings *settings; // in force: a reload changes them
    const struct interface *interface;
    struct plane *plane;
    struct turn_state *turn;
    struct tls_contexts *tls;
    struct http_access *http_access;
};

// With the settings of the start. 0 or -ENOMEM.
int reload_create(const struct reload_config *config, struct reload **ret_reload);
// The workers have stopped.
void reload_destroy(struct reload *reload);

struct reload_history {
    uint64_t taken_count;
    uint64_t refused_count;
    uint64_t taken_s; // wall clock, of the last that was taken, or of the start
    bool last_was_refused;
};

const struct reload_history *reload_get_history(const struct reload *reload);

// Whether every worker has what the last reload sent. Only then may the next one run.
bool reload_is_ready(const struct reload *reload);

// Read, check, put into force, with a word to the service manager before and after; logs what has
// changed and what waits for the next start, or what is wrong, and then nothing has changed. There
// is room for two commands in each worker's ring. True: the peer policy is another one, and what it
// denies is to be removed by turn_server_revoke().
bool reload_run(struct reload *reload);
