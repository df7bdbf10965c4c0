// SPDX-License-Identifier: BSD-3-Clause
// What a configuration file that is read anew changes: of each setting whether a running relay can
// take it, and what differs from the settings in force.
#pragma once

#include "control/settings.h"

#include <stdint.h>

enum settings_reload {
    SETTINGS_NAMELESS,         // there is no such setting
    SETTINGS_LIVE,             // a reload takes it
    SETTINGS_LIVE_UP_TO_START, // up to what it was at the start: tables are as large as that
    SETTINGS_LIVE_IF_THERE,    // unless there was none at the start, 0 or an empty list
    SETTINGS_AT_START,         // the next start takes it
};

// name: as setting_walk() says it. What is within a list goes by the list.
enum settings_reload settings_reload_of(const char *name);
// The same for people, as documents say it.
const char *settings_reload_text(enum settings_reload reload);
// Those that there is a word on, by number; NULL: there are no more.
const char *settings_reload_name(unsigned number);

#define SETTINGS_BOUNDS_MAX 128

// What the settings were at the start, as far as it bounds a reload.
struct settings_bounds {
    uint32_t amounts[SETTINGS_BOUNDS_MAX];
};

void settings_bounds_take(const struct settings *started, struct settings_bounds *ret_bounds);

enum settings_effect {
    SETTINGS_TAKEN,
    SETTINGS_TAKEN_IN_PART, // up to what it was at the start
    SETTINGS_LEFT,          // for the next start
};

// Call visit for each setting that differs between those in force and those that were read; lists
// count as one. name is static.
void settings_change_walk(const struct settings_bounds *bounds, const struct settings *in_force,
                          const struct settings *read,
                          void (*visit)(const char *name, enum settings_effect effect,
                                        void *context),
                          void *context);

// Put into force what a reload takes. What it takes the place of goes into read: both are to be
// done with as before.
void settings_change_apply(const struct settings_bounds *bounds, struct settings *in_force,
                           struct settings *read);
