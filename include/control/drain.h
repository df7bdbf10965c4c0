// SPDX-License-Identifier: BSD-3-Clause
// Draining: new clients are sent elsewhere, live calls go on, and the process ends with the last of them, or at a
// deadline. SIGUSR1 begins it with what the settings say, SIGUSR2 undoes it; others may do so by these functions.
#pragma once

#include "control/settings.h"
#include "turn/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drain;
struct event_base;

// For drain_begin: what drain_deadline says.
#define DRAIN_DEADLINE_OF_SETTINGS UINT32_MAX
// After the deadline, for the workers to report what has gone; as long as there is more of that it begins anew.
#define DRAIN_GRACE_MS 5000

struct drain_config { // all borrowed
    struct event_base *base;
    struct turn_server *server;
    const struct settings *settings; // drain_to, drain_domain, drain_deadline, whenever a drain begins
    void (*end_allocations)(void *context); // some at a time, from now on
    void (*stop)(void *context);            // of the process, in order
    void *context;
};

// SIGUSR1 and SIGUSR2 are taken over; loop_hold_signals() has had them wait. 0 or -errno.
int drain_create(const struct drain_config *config, struct drain **ret_drain);
// What was taken over is ignored from then on.
void drain_destroy(struct drain *drain);

// Another one takes the place of the one before, its deadline counted from now. deadline_s 0: none. alternates NULL:
// those of the settings. 0; -EBUSY: a deadline is over, and allocations are being ended.
int drain_begin(struct drain *drain, uint32_t deadline_s, const struct turn_alternates *alternates);
// 0; -EALREADY: there is none; -EBUSY as above.
int drain_end(struct drain *drain);

// Add one, "192.0.2.1", "192.0.2.1:3478", "2001:db8::1" or "[2001:db8::1]:3478", to alternates that are all zero at
// first. 0; -EINVAL: it is none; -EEXIST: there is one of its family.
int drain_add_alternate(const char *text, struct turn_alternates *alternates);

struct drain_view {
    bool is_draining;
    bool is_ending; // the deadline is over
    bool has_deadline;
    uint32_t left_s;          // until then
    uint64_t deadline_wall_s; // the same as Unix time; 0: none
    uint32_t allocations;     // that are left
    struct turn_alternates alternates;
};
void drain_get_view(const struct drain *drain, struct drain_view *ret_view);

// "draining: 12 allocations are left, for 540 s at most". A buffer of DRAIN_TEXT_LEN bytes; returns text.
#define DRAIN_TEXT_LEN 96
const char *drain_format(const struct drain_view *view, char *text);
