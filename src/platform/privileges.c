// SPDX-License-Identifier: BSD-3-Clause
// Looks at the capabilities of this process, one by one, so that what is missing can be named.
#include "platform/privileges.h"

#include "base/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Devices, rings, hugepages, logs, libraries: with room to spare.
#define OWN_FILES 1024

struct privilege {
    unsigned capability;
    unsigned instead; // gives the same, 0: nothing does
    const char *name;
    const char *purpose;
    bool shared_only; // a relay with a device of its own does without
};

static const struct privilege privileges[] = {
    {CAP_NET_RAW, 0, "CAP_NET_RAW", "to open AF_XDP sockets", true},
    {CAP_NET_ADMIN, 0, "CAP_NET_ADMIN",
     "to set up network interfaces and to keep next hops resolved", false},
    {CAP_BPF, CAP_SYS_ADMIN, "CAP_BPF", "to load the XDP program", true},
    // Without it no program may walk headers of variable length.
    {CAP_PERFMON, CAP_SYS_ADMIN, "CAP_PERFMON", "to load the XDP program", true},
};

static bool capability_is_effective(unsigned capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

int privileges_check(bool owns_device)
{
    char missing[128] = "";
    int error = 0;

    for (size_t i = 0; i < sizeof(privileges) / sizeof(privileges[0]); i++) {
        const struct privilege *privilege = &privileges[i];
        size_t len = strlen(missing);

        if ((owns_device && privilege->shared_only) ||
            capability_is_effective(privilege->capability) ||
            (privilege->instead && capability_is_effective(privilege->instead)))
            continue;
        log_message(LOG_LEVEL_ERROR, "missing_capability", "%s is needed %s", privilege->name,
                    privilege->purpose);
        snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? " " : "", privilege->name);
        error = -EPERM;
    }
    if (error)
        log_message(LOG_LEVEL_ERROR, "missing_capability",
                    "run as root, or give the service AmbientCapabilities=%s (plus CAP_IPC_LOCK)",
                    missing);
    return error;
}

int privileges_lock_memory(size_t bytes)
{
    struct rlimit limit;

    if (capability_is_effective(CAP_IPC_LOCK) || getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
        limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= bytes)
        return 0;
    limit.rlim_cur = bytes;
    if (limit.rlim_max < bytes)
        limit.rlim_max = bytes; // for a privileged process
    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        return 0;
    log_message(LOG_LEVEL_ERROR, "locked_memory",
                "packet buffers need %zu MB of locked memory: give CAP_IPC_LOCK, or raise the "
                "limit (LimitMEMLOCK= of "
                "the service, 'ulimit -l')",
                bytes >> 20);
    return -EPERM;
}

void privileges_open_files(uint32_t connections)
{
    rlim_t wanted = (rlim_t)connections + OWN_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) {
        const struct rlimit raised = {wanted, wanted};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return;
        limit.rlim_cur = limit.rlim_max;
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_message(LOG_LEVEL_WARNING, "open_files",
                    "the limit of open files is %llu, which is less than %u connections need (see "
                    "max_connections): raise it (LimitNOFILE= of the service, 'ulimit -n')",
                    (unsigned long long)limit.rlim_cur, connections);
}
