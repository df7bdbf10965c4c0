// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when a poll found nothing.
#include "dataplane/idle.h"

#include <poll.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

// Empty polls before the first sleep: some 50 us of spinning, longer than the gaps between the
// packets of a busy port.
#define IDLE_SPIN_POLLS 1000
// Where others may want the CPU, which get it at each.
#define IDLE_YIELD_POLLS 16
// Of one that spins for ever and shares its CPU: each time it gives that away it also forgoes a
// time slice. At every poll, a dozen workers on two CPUs kept an RCU grace period, and with it the
// close of a TAP, from ending for 20 to 45 seconds; so it is 2.
#define IDLE_YIELDS_PER_S 250
// Of a worker that would look up in vain: it took a tenth of the CPU from those it shares it with.
// Still many a look of the watchdog.
#define IDLE_TOLD_SLEEP_US 20000

static uint32_t longest_sleep_us(const struct idle_config *config)
{
    bool has_no_need_to_look = config->shares_cpu && config->is_told_of_all;
    bool may_sleep = config->sleep_max_us > 0;
    return has_no_need_to_look && may_sleep && config->sleep_max_us < IDLE_TOLD_SLEEP_US
               ? IDLE_TOLD_SLEEP_US
               : config->sleep_max_us;
}

void idle_init(struct idle *idle, const struct idle_config *config)
{
    *idle = (struct idle){
        .config = *config,
        .polls_max = config->shares_cpu ? IDLE_YIELD_POLLS : IDLE_SPIN_POLLS,
    };
    idle->config.sleep_max_us = longest_sleep_us(config);
    idle->first_sleep_us =
        config->shares_cpu && config->packet_fd >= 0 ? idle->config.sleep_max_us : 1;
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL,
                0UL); // 50 us by default: as much again as a short sleep
}

static bool is_time_to_yield(struct idle *idle)
{
    uint64_t now;

    if (!idle->config.shares_cpu)
        return false;
    if (idle->config.sleep_max_us > 0)
        return true;
    now = rte_rdtsc();
    if (now < idle->next_yield)
        return false;
    idle->next_yield = now + idle->config.tsc_hz / IDLE_YIELDS_PER_S;
    return true;
}

static void wait_a_little(struct idle *idle)
{
    if (is_time_to_yield(idle))
        (void)sched_yield();
    else
        rte_pause();
}

bool idle_found_nothing(struct idle *idle)
{
    if (idle->config.sleep_max_us > 0 && idle->polls >= idle->polls_max)
        return true;
    idle->polls++;
    wait_a_little(idle);
    return false;
}

void idle_sleep(struct idle *idle)
{
    struct pollfd fds[] = {
        {.fd = idle->config.packet_fd, .events = POLLIN},
        {.fd = idle->config.doorbell_fd, .events = POLLIN},
    };
    idle->sleep_us = idle->sleep_us == 0 ? idle->first_sleep_us : idle->sleep_us * 2;
    if (idle->sleep_us > idle->config.sleep_max_us)
        idle->sleep_us = idle->config.sleep_max_us;
    struct timespec sleep = {idle->sleep_us / 1000000, (long)(idle->sleep_us % 1000000) * 1000};
    (void)ppoll(fds, sizeof(fds) / sizeof(fds[0]), &sleep, NULL);
}
