// SPDX-License-Identifier: BSD-3-Clause
// What a service manager is told, as sd_notify(3) has it: systemd, or whoever has set NOTIFY_SOCKET. Without one,
// nothing happens.
#pragma once

// Serves from now on.
void service_manager_ready(void);
// Lives: told more often than WatchdogSec= asks for, from the control thread, so that silence means that it is stuck.
// status: a line for people, as 'systemctl status' shows it.
void service_manager_alive(const char *status);
// Takes the configuration anew, until it is ready again.
void service_manager_reloading(void);
// Will end.
void service_manager_stopping(void);
