// SPDX-License-Identifier: BSD-3-Clause
// See control/service_manager.h. Nobody has to listen, so errors are nobody's business.
#include "control/service_manager.h"

#include <systemd/sd-daemon.h>

void service_manager_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void service_manager_alive(const char *status)
{
    (void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", status);
}

void service_manager_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}
