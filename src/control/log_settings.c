// SPDX-License-Identifier: BSD-3-Clause
// See control/log_settings.h.
#include "control/log_settings.h"

#include <string.h>

void log_settings_apply(const struct settings_log *settings)
{
    for (enum log_subsystem i = 0; i < LOG_SUBSYSTEM_COUNT; i++) {
        uint32_t own = settings->levels[i];

        log_set_subsystem_level(i, (enum log_level)(own > 0 ? own - 1 : settings->level));
    }
    log_set_rate(settings->rate);
}

void log_settings_open(const struct settings_log *settings)
{
    static const char *const names[] = {
        [LOG_TO_STDERR] = "stderr", [LOG_TO_SYSLOG] = "syslog", [LOG_TO_JOURNAL] = "the journal"};
    int error;

    log_setup((enum log_format)settings->format, (enum log_level)settings->level);
    log_settings_apply(settings);
    error = log_open((enum log_destination)settings->to);
    if (error)
        log_message(LOG_LEVEL_WARNING, "log",
                    "%s cannot be reached: %s; lines go to stderr until the next start; see log.to",
                    names[settings->to], strerror(-error));
}
