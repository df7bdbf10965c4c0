// SPDX-License-Identifier: BSD-3-Clause
// See resident.h.
#include "resident.h"

#include "clients.h"

#include <stdio.h>
#include <unistd.h>

int64_t resident_len(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    require(file != NULL && fscanf(file, "%*s %ld", &pages) == 1, "cannot read /proc/self/statm");
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}
