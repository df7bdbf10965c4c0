// SPDX-License-Identifier: BSD-3-Clause
// Looks at the capabilities of this process, one by one, so that what is missing can be named; and
// gives them up, which each thread has to do for itself.
#include "platform/privileges.h"

#include "base/log.h"
#include "base/thread_signal.h"
#include "platform/kernel_file.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Devices, rings, hugepages, logs, libraries: with room to spare.
#define OWN_FILES 1024

// As /proc has it; the kernel's headers for programs do not.
#define PF_USER_WORKER 0x4000

// For threads to give up their capabilities, and how often they are asked.
#define DROP_TRIES   200
#define DROP_WAIT_US 10000

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

// Of what the thread has: what is wanted. Nothing is left to be inherited by another program.
static int keep(uint64_t wanted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].permitted &= (uint32_t)(wanted >> (32 * i));
        data[i].effective &= data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privileges_limit(void)
{
    const uint64_t file_access = UINT64_C(1) << CAP_DAC_OVERRIDE |
                                 UINT64_C(1) << CAP_DAC_READ_SEARCH | UINT64_C(1) << CAP_FOWNER;
    int error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : keep(~file_access);

    if (error)
        log_message(LOG_LEVEL_ERROR, "privileges", "cannot be limited: %s", strerror(-error));
    return error;
}

// In whatever thread there is, at whatever it is.
static void give_up_all(int signal)
{
    int saved = errno;

    (void)signal;
    (void)keep(0); // whether it has, is looked at
    errno = saved;
}

// A thread of ours by name, that never leaves the kernel: vhost-net's, since Linux 6.4. It takes no
// signals, and what it does needs no capability.
static bool is_kernels(const char *tid)
{
    char line[512];
    const char *rest;
    unsigned flags = 0;

    if (kernel_file_read(line, sizeof(line), "/proc/self/task/%.20s/stat", tid) < 0)
        return false;
    rest = strrchr(line, ')'); // of the name, which may have anything in it
    if (rest)
        (void)sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
    return flags & PF_USER_WORKER;
}

static bool thread_has_any(const char *tid)
{
    char path[64], line[128];
    unsigned long long permitted = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
    file = fopen(path, "re");
    if (!file)
        return false; // it has ended
    while (permitted == 0 && fgets(line, sizeof(line), file))
        (void)sscanf(line, "CapPrm: %llx", &permitted);
    fclose(file);
    return permitted != 0;
}

// Those that have some are told to give them up. How many, or -errno.
static int tell_others(void)
{
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *entry;
    int count = 0;

    if (!threads)
        return -errno;
    while ((entry = readdir(threads))) {
        pid_t tid = (pid_t)atoi(entry->d_name);

        if (tid == 0 || tid == gettid() || is_kernels(entry->d_name) ||
            !thread_has_any(entry->d_name))
            continue;
        (void)tgkill(getpid(), tid, THREAD_SIGNAL);
        count++;
    }
    closedir(threads);
    return count;
}

static int drop_in_others(void)
{
    const struct sigaction action = {.sa_handler = give_up_all, .sa_flags = SA_RESTART};
    int left;

    if (sigaction(THREAD_SIGNAL, &action, NULL) < 0)
        return -errno;
    left = tell_others();
    for (unsigned i = 0; left > 0 && i < DROP_TRIES; i++) {
        usleep(DROP_WAIT_US);
        left = tell_others();
    }
    return left > 0 ? -ETIMEDOUT : left;
}

int privileges_drop(void)
{
    int error = drop_in_others();

    if (!error)
        error = keep(UINT64_C(1) << CAP_NET_ADMIN);
    if (error)
        log_message(LOG_LEVEL_ERROR, "privileges", "cannot be given up: %s", strerror(-error));
    return error;
}

void privileges_load_ktls(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    // It is not connected, which the kernel says when it has the module.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"));
    close(fd);
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
