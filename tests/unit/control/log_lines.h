// SPDX-License-Identifier: BSD-3-Clause
// A log that writes down lines: "event key=value ...\n" for each. LINES_LEVEL is that of all of
// them, and defined before.
#pragma once

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char lines[2048];

void log_event(enum log_level level, const char *event, ...)
{
    size_t len = strlen(lines);
    const char *key;
    va_list pairs;

    assert_int_equal(level, LINES_LEVEL);
    len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%s", event);
    va_start(pairs, event);
    while ((key = va_arg(pairs, const char *)))
        len += (size_t)snprintf(lines + len, sizeof(lines) - len, " %s=%s", key,
                                va_arg(pairs, const char *));
    va_end(pairs);
    snprintf(lines + len, sizeof(lines) - len, "\n");
}
