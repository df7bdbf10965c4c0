// SPDX-License-Identifier: BSD-3-Clause
// See control/process_usage.h; proc(5).
#include "control/process_usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAT_LEN 1024

static int read_stat(char text[STAT_LEN])
{
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len;

    if (!file)
        return -errno;
    len = fread(text, 1, STAT_LEN - 1, file);
    fclose(file);
    text[len] = '\0';
    return len > 0 ? 0 : -EIO;
}

static double clock_s(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Found once: the wall clock may be set while the process runs.
static double start_s(double since_boot_s)
{
    static double found_s;

    if (found_s <= 0)
        found_s = clock_s(CLOCK_REALTIME) - clock_s(CLOCK_BOOTTIME) + since_boot_s;
    return found_s;
}

// The size of that directory is the number of files, where the kernel is new enough.
static uint64_t open_files(void)
{
    struct stat status;

    return stat("/proc/self/fd", &status) == 0 ? (uint64_t)status.st_size : 0;
}

int process_usage_get(struct process_usage *ret_usage)
{
    char text[STAT_LEN];
    const char *fields;
    uint64_t user, system, started, virtual_bytes, resident_pages;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct rlimit limit;
    int error = read_stat(text);

    if (error)
        return error;
    // The second field is a name, which may hold anything.
    fields = strrchr(text, ')');
    if (!fields || sscanf(fields,
                          ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                          " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                          &user, &system, &started, &virtual_bytes, &resident_pages) != 5)
        return -EIO;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    *ret_usage = (struct process_usage){
        .cpu_s = (double)(user + system) / ticks,
        .resident_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE),
        .virtual_bytes = virtual_bytes,
        .start_s = start_s((double)started / ticks),
        .max_files = limit.rlim_cur,
        .open_files = open_files(),
    };
    return 0;
}
