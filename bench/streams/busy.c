// SPDX-License-Identifier: BSD-3-Clause
// Differences of the kernel's counters.
#include "busy.h"

#include <inttypes.h>
#include <stdio.h>

#define FIELDS 8 // user nice system idle iowait irq softirq steal
enum {
    IDLE = 3,
    IOWAIT = 4,
};

static void add_up(struct busy *busy, const uint64_t *ticks)
{
    busy->idle = ticks[IDLE] + ticks[IOWAIT];
    for (unsigned i = 0; i < FIELDS; i++)
        busy->all += ticks[i];
}

struct busy busy_since_now(int cpu)
{
    struct busy busy = {.cpu = cpu};
    uint64_t t[FIELDS];
    char line[512];
    FILE *file = fopen("/proc/stat", "r");
    int number;

    while (file && fgets(line, sizeof(line), file)) {
        int got = sscanf(line,
                         "cpu%d %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                         " %" SCNu64 " %" SCNu64 " %" SCNu64,
                         &number, t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7);
        if (got == FIELDS + 1 && number == cpu)
            add_up(&busy, t);
    }
    if (file)
        fclose(file);
    return busy;
}

double busy_share(const struct busy *since)
{
    struct busy now = busy_since_now(since->cpu);

    if (now.all == since->all)
        return -1;
    return 1 - (double)(now.idle - since->idle) / (double)(now.all - since->all);
}
