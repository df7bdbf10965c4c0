// SPDX-License-Identifier: BSD-3-Clause
// See platform/capture.h. DPDK 22.11 leaves its files behind: those of the runtime directory
// always, hugepages of memory that was not freed, and all of them when the process is killed.
#include "platform/capture.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <mntent.h>
#include <rte_errno.h>
#include <rte_pdump.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTS_PATH      "/proc/self/mounts"
#define HUGEPAGE_PATTERN "rtemap_*"

static bool is_ours; // whatever files there are: nobody else had any when we came
static bool is_started;

// The control socket's, which has been looked at.
static const char *base_directory(void)
{
    return getenv("RUNTIME_DIRECTORY");
}

// False: it does not fit.
static bool runtime_path(const char *name, char ret_path[CAPTURE_PATH_LEN])
{
    return snprintf(ret_path, CAPTURE_PATH_LEN, "%s/dpdk/rte%s", base_directory(), name) <
           CAPTURE_PATH_LEN;
}

// A name for each runtime directory: the EAL takes files of that name there for its own.
static bool hugepage_path(const char *mount, char ret_path[CAPTURE_PATH_LEN])
{
    int len = snprintf(ret_path, CAPTURE_PATH_LEN, "%s/turnpike%s", mount, base_directory());

    if (len >= CAPTURE_PATH_LEN)
        return false;
    for (char *next = ret_path + strlen(mount) + 1; *next != '\0'; next++) {
        if (*next == '/')
            *next = '-';
    }
    return true;
}

// A primary process has its configuration locked as long as it lives.
static bool runtime_is_taken(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[CAPTURE_PATH_LEN];
    bool taken;
    int fd;

    if (!runtime_path("/config", path))
        return false;
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    taken = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return taken;
}

// Whoever has such a file mapped has it locked: another relay, or a tool that has not yet noticed
// that it is alone.
static bool is_locked(int directory, const char *name)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

    if (fd >= 0)
        close(fd);
    return locked;
}

static void remove_files(const char *path, const char *const *patterns)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        for (unsigned i = 0; patterns[i]; i++) {
            if (fnmatch(patterns[i], entry->d_name, 0) == 0 &&
                (is_ours || !is_locked(dirfd(directory), entry->d_name)))
                unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory)
        closedir(directory);
}

static const struct mntent *next_hugetlbfs(FILE *mounts)
{
    const struct mntent *mount;

    while ((mount = getmntent(mounts))) {
        if (strcmp(mount->mnt_type, "hugetlbfs") == 0)
            return mount;
    }
    return NULL;
}

static void remove_hugepages(void)
{
    static const char *const patterns[] = {HUGEPAGE_PATTERN, NULL};
    FILE *mounts = setmntent(MOUNTS_PATH, "re");
    const struct mntent *mount;
    char path[CAPTURE_PATH_LEN];

    while (mounts && (mount = next_hugetlbfs(mounts))) {
        if (!hugepage_path(mount->mnt_dir, path))
            continue;
        remove_files(path, patterns);
        (void)rmdir(path); // unless somebody else made it for us
    }
    if (mounts)
        endmntent(mounts);
}

void capture_clean(void)
{
    static const char *const patterns[] = {"config", "hugepage_info", "fbarray_*", "mp_socket*",
                                           NULL};
    char path[CAPTURE_PATH_LEN];

    if (runtime_is_taken() || !runtime_path("", path))
        return;
    remove_files(path, patterns);
    remove_hugepages();
    is_ours = false;
}

static bool is_ours_alone(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

// Of a relay in another container, which does not see our runtime directory: the EAL would map its
// memory for ours.
static bool has_hugepages(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool found = false;

    while (directory && !found && (entry = readdir(directory)))
        found = fnmatch(HUGEPAGE_PATTERN, entry->d_name, 0) == 0;
    if (directory)
        closedir(directory);
    return found;
}

static int make_hugepage_directory(char *ret_directory)
{
    FILE *mounts = setmntent(MOUNTS_PATH, "re");
    const struct mntent *mount;
    char path[CAPTURE_PATH_LEN];
    int error = -ENOENT;

    while (error && mounts && (mount = next_hugetlbfs(mounts))) {
        if (!hugepage_path(mount->mnt_dir, path))
            continue;
        error = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
        if (!error && !is_ours_alone(path))
            error = -EPERM;
        if (!error && has_hugepages(path))
            error = -EBUSY;
    }
    if (mounts)
        endmntent(mounts);
    if (!error)
        strcpy(ret_directory, path);
    else if (error == -ENOENT)
        log_message(LOG_LEVEL_ERROR, "capture",
                    "no hugetlbfs is mounted, and tools that capture need one: 'mount -t hugetlbfs "
                    "none /dev/hugepages', or capture = false");
    else
        log_message(LOG_LEVEL_ERROR, "capture",
                    "%s cannot be used: %s; it has to be this user's, with mode 0700, and without "
                    "another relay's hugepages",
                    path, strerror(-error));
    return error;
}

int capture_prepare(char *ret_directory)
{
    int error;

    if (runtime_is_taken()) {
        log_message(LOG_LEVEL_ERROR, "capture",
                    "another relay with capture has %s: give each a RUNTIME_DIRECTORY of its own",
                    base_directory());
        return -EBUSY;
    }
    error = make_hugepage_directory(ret_directory);
    is_ours = !error;
    return error;
}

int capture_start(void)
{
    if (rte_pdump_init() < 0) {
        log_message(LOG_LEVEL_ERROR, "capture", "DPDK cannot offer packets: %s",
                    rte_strerror(rte_errno));
        return rte_errno > 0 ? -rte_errno : -EIO;
    }
    is_started = true;
    return 0;
}

void capture_stop(void)
{
    if (is_started)
        rte_pdump_uninit();
    is_started = false;
}
