// SPDX-License-Identifier: BSD-3-Clause
// See control/service_manager.h. Nobody has to listen, so errors are nobody's business.
#include "control/service_manager.h"

#include <inttypes.h>
#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void service_manager_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void service_manager_alive(const char *status)
{
    (void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", status);
}

// A manager that waits for the answer to its signal (Type=notify-reload) takes for it only what is
// no older than that: milliseconds would be too coarse.
void service_manager_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void service_manager_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}
