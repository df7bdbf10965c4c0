// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when a poll found nothing.
#include "dataplane/idle.h"

#include <poll.h>
#include <rte_pause.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

// Empty polls before the first sleep: some 50 us of spinning, longer than the gaps between the
// packets of a busy port.
#define IDLE_SPIN_POLLS 1000

void idle_init(struct idle *idle, uint32_t sleep_max_us, int wait_fd)
{
    memset(idle, 0, sizeof(*idle));
    idle->sleep_max_us = sleep_max_us;
    idle->wait_fd = wait_fd;
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL,
                0UL); // 50 us by default: as much again as a short sleep
}

bool idle_found_nothing(struct idle *idle)
{
    if (idle->sleep_max_us == 0 || idle->polls < IDLE_SPIN_POLLS) {
        idle->polls++;
        rte_pause();
        return false;
    }
    idle->sleep_us = idle->sleep_us == 0 ? 1 : idle->sleep_us * 2;
    if (idle->sleep_us > idle->sleep_max_us)
        idle->sleep_us = idle->sleep_max_us;
    // Commands and hand-offs make no descriptor readable: they wait for the end of the sleep.
    struct pollfd packet = {.fd = idle->wait_fd, .events = POLLIN};
    struct timespec sleep = {idle->sleep_us / 1000000, (long)(idle->sleep_us % 1000000) * 1000};
    (void)ppoll(&packet, 1, &sleep, NULL);
    return true;
}
