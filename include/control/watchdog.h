// SPDX-License-Identifier: BSD-3-Clause
// Looks at the workers from the control thread, so that one that no longer turns is noticed within half a second. It
// costs them nothing: each counts its rounds anyway, and an idle one sleeps for 10 ms at most.
#pragma once

#include "exchange/plane.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct watchdog;

#define WATCHDOG_INTERVAL_MS 50
// A worker that has not gone round for so long is stuck.
#define WATCHDOG_STUCK_MS 400
// The control thread that has not looked for so long was stuck itself.
#define WATCHDOG_LATE_MS 500

enum watchdog_policy {
    WATCHDOG_ALARM, // say so
    WATCHDOG_EXIT,  // and end the process, for whoever starts it anew
};

struct watchdog_config { // borrowed
    struct event_base *base;
    const struct plane *plane;
    void (*stuck)(void *context); // a worker is, and it has been logged; NULL: that is all
    void *context;
};

// How much later than due the control thread looked: how long whoever asks it for something waits for its turn.
#define WATCHDOG_DELAY_BOUNDS 9
struct watchdog_delays {
    uint64_t counts[WATCHDOG_DELAY_BOUNDS + 1]; // of each bound, those up to it and above the one before; then the rest
    uint64_t sum_ms;
};
extern const char *const watchdog_delay_bounds[WATCHDOG_DELAY_BOUNDS]; // seconds, as text

// The workers run. 0, -ENOMEM.
int watchdog_create(const struct watchdog_config *config, struct watchdog **ret_watchdog);
void watchdog_destroy(struct watchdog *watchdog);

// Called every WATCHDOG_INTERVAL_MS by the event base. Logs who is stuck, and who goes round again, once. Time in which
// nobody looked, because the machine stood still, is nobody's fault.
void watchdog_look(struct watchdog *watchdog, uint64_t now_ms);

const struct watchdog_delays *watchdog_get_delays(const struct watchdog *watchdog);
bool watchdog_worker_is_stuck(const struct watchdog *watchdog, uint16_t worker);
unsigned watchdog_stuck_count(const struct watchdog *watchdog);
// Has the control thread been kept from looking?
bool watchdog_is_late(const struct watchdog *watchdog, uint64_t now_ms);
