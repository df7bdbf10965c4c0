// SPDX-License-Identifier: BSD-3-Clause
// One sentence on what went wrong.
#include "ctl/problem.h"

#include <stdarg.h>
#include <stdio.h>

enum ctl_status problem_set(struct problem *problem, enum ctl_status status, const char *format,
                            ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    problem->status = status;
    return status;
}
