// SPDX-License-Identifier: BSD-3-Clause
// See control/watchdog.h.
#include "control/watchdog.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct watched_worker {
    uint64_t rounds; // when it was looked at last
    uint64_t still_ms;
    bool is_stuck;
};

struct watchdog {
    struct watchdog_config config;
    struct event *timer;
    uint64_t looked_ms;
    struct watchdog_delays delays;
    struct watched_worker workers[PLANE_WORKERS_MAX];
};

static const struct timeval interval = {.tv_usec = WATCHDOG_INTERVAL_MS * 1000};

const char *const watchdog_delay_bounds[WATCHDOG_DELAY_BOUNDS] = {
    "0.001", "0.002", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5"};
static const uint64_t bounds_ms[WATCHDOG_DELAY_BOUNDS] = {1, 2, 5, 10, 25, 50, 100, 250, 500};

static void count_delay(struct watchdog_delays *delays, uint64_t delay_ms)
{
    unsigned bound = 0;

    while (bound < WATCHDOG_DELAY_BOUNDS && delay_ms > bounds_ms[bound])
        bound++;
    delays->counts[bound]++;
    delays->sum_ms += delay_ms;
}

static uint64_t rounds_of(const struct watchdog *watchdog, uint16_t worker)
{
    const struct worker_counters *counters = &watchdog->config.plane->counters[worker];

    return __atomic_load_n(&counters->busy_polls, __ATOMIC_RELAXED) +
           __atomic_load_n(&counters->idle_polls, __ATOMIC_RELAXED);
}

static void log_stuck(uint16_t worker)
{
    char number[8];

    snprintf(number, sizeof(number), "%u", worker);
    log_event(LOG_LEVEL_ERROR, "worker_stuck", "worker", number, NULL);
}

static void log_recovered(uint16_t worker)
{
    char number[8];

    snprintf(number, sizeof(number), "%u", worker);
    log_event(LOG_LEVEL_WARNING, "worker_recovered", "worker", number, NULL);
}

// True: it has just been found to be stuck.
static bool look_at(struct watchdog *watchdog, uint16_t worker, uint64_t passed_ms)
{
    struct watched_worker *watched = &watchdog->workers[worker];
    uint64_t rounds = rounds_of(watchdog, worker);

    if (rounds != watched->rounds) {
        watched->rounds = rounds;
        watched->still_ms = 0;
        if (watched->is_stuck)
            log_recovered(worker);
        watched->is_stuck = false;
        return false;
    }
    watched->still_ms += passed_ms;
    if (watched->is_stuck || watched->still_ms < WATCHDOG_STUCK_MS)
        return false;
    watched->is_stuck = true;
    log_stuck(worker);
    return true;
}

void watchdog_look(struct watchdog *watchdog, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - watchdog->looked_ms;
    bool is_news = false;

    count_delay(&watchdog->delays,
                passed_ms > WATCHDOG_INTERVAL_MS ? passed_ms - WATCHDOG_INTERVAL_MS : 0);
    if (passed_ms > 2 * WATCHDOG_INTERVAL_MS)
        passed_ms = 2 * WATCHDOG_INTERVAL_MS;
    watchdog->looked_ms = now_ms;
    for (uint16_t i = 0; i < watchdog->config.plane->config.worker_count; i++)
        is_news |= look_at(watchdog, i, passed_ms);
    if (is_news && watchdog->config.stuck)
        watchdog->config.stuck(watchdog->config.context);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    watchdog_look(context, clock_monotonic_ms());
}

int watchdog_create(const struct watchdog_config *config, struct watchdog **ret_watchdog)
{
    struct watchdog *watchdog = calloc(1, sizeof(*watchdog));

    if (!watchdog)
        return -ENOMEM;
    watchdog->config = *config;
    watchdog->looked_ms = clock_monotonic_ms();
    watchdog->timer = event_new(config->base, -1, EV_PERSIST, on_timer, watchdog);
    if (!watchdog->timer || event_add(watchdog->timer, &interval) < 0) {
        watchdog_destroy(watchdog);
        return -ENOMEM;
    }
    *ret_watchdog = watchdog;
    return 0;
}

void watchdog_destroy(struct watchdog *watchdog)
{
    if (watchdog->timer)
        event_free(watchdog->timer);
    free(watchdog);
}

const struct watchdog_delays *watchdog_get_delays(const struct watchdog *watchdog)
{
    return &watchdog->delays;
}

bool watchdog_worker_is_stuck(const struct watchdog *watchdog, uint16_t worker)
{
    return watchdog->workers[worker].is_stuck;
}

unsigned watchdog_stuck_count(const struct watchdog *watchdog)
{
    unsigned count = 0;

    for (uint16_t i = 0; i < watchdog->config.plane->config.worker_count; i++)
        count += watchdog->workers[i].is_stuck;
    return count;
}

bool watchdog_is_late(const struct watchdog *watchdog, uint64_t now_ms)
{
    return now_ms - watchdog->looked_ms > WATCHDOG_LATE_MS;
}
