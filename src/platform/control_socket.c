// SPDX-License-Identifier: BSD-3-Clause
// See platform/control_socket.h. DPDK tells nobody which path its socket has got, nor how to close
// it: both are found among the process's own descriptors.
#include "platform/control_socket.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <rte_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "dpdk_telemetry.v2"

static char directory[CONTROL_SOCKET_PATH_LEN]; // "": there is none

int control_socket_find_group(const char *name, gid_t *ret_group)
{
    const struct group *group;

    if (*name == '\0') {
        *ret_group = getegid();
        return 0;
    }
    group = getgrnam(name);
    if (!group) {
        log_message(LOG_LEVEL_ERROR, "control_group", "there is no group %s on this system", name);
        return -ENOENT;
    }
    *ret_group = group->gr_gid;
    return 0;
}

// Ours alone, or there would be others who can put a socket in its place.
static int make_directory(const char *path, mode_t mode)
{
    struct stat status;

    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return -ENOTDIR;
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    return access(path, W_OK | X_OK) < 0 ? -errno : 0;
}

static void parent_directory(char ret_path[CONTROL_SOCKET_PATH_LEN])
{
    strcpy(ret_path, directory);
    *strrchr(ret_path, '/') = '\0';
}

static int make_directories(const char *base)
{
    char parent[CONTROL_SOCKET_PATH_LEN];
    int error = make_directory(base, 0755);

    parent_directory(parent);
    if (!error)
        error = make_directory(parent, 0700);
    return error ? error : make_directory(directory, 0700);
}

// systemd lists all that a unit has, with colons between them.
static void choose_base(char base[CONTROL_SOCKET_PATH_LEN])
{
    const char *given = getenv("RUNTIME_DIRECTORY");

    snprintf(base, CONTROL_SOCKET_PATH_LEN, "%s",
             given && *given ? given : CONTROL_SOCKET_DIRECTORY);
    *strchrnul(base, ':') = '\0';
}

bool control_socket_prepare(void)
{
    char base[CONTROL_SOCKET_PATH_LEN];
    size_t len;
    int error;

    choose_base(base);
    len = (size_t)snprintf(directory, sizeof(directory), "%s/dpdk/rte", base);
    // And a number of two digits.
    error = len + sizeof("/" SOCKET_NAME ":10") > CONTROL_SOCKET_PATH_LEN ? -ENAMETOOLONG
                                                                          : make_directories(base);
    if (!error && setenv("RUNTIME_DIRECTORY", base, 1) < 0)
        error = -errno;
    if (!error)
        return true;
    log_message(LOG_LEVEL_WARNING, "control_socket", "there is none: %s: %s; see RUNTIME_DIRECTORY",
                base, strerror(-error));
    directory[0] = '\0';
    return false;
}

// Whether this descriptor is the telemetry socket or a connection to it; they have one path.
static bool is_telemetry(int fd, char ret_path[CONTROL_SOCKET_PATH_LEN])
{
    struct sockaddr_un address = {};
    socklen_t len = sizeof(address);
    size_t directory_len = strlen(directory);

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 || address.sun_family != AF_UNIX ||
        strncmp(address.sun_path, directory, directory_len) != 0 ||
        strncmp(address.sun_path + directory_len, "/" SOCKET_NAME, sizeof(SOCKET_NAME)) != 0)
        return false;
    snprintf(ret_path, CONTROL_SOCKET_PATH_LEN, "%s", address.sun_path);
    return true;
}

static bool is_listening(int fd)
{
    int listens = 0;
    socklen_t len = sizeof(listens);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static void visit(void (*visitor)(int fd, const char *path, void *context), void *context)
{
    DIR *descriptors = directory[0] != '\0' ? opendir("/proc/self/fd") : NULL;
    char path[CONTROL_SOCKET_PATH_LEN];
    const struct dirent *entry;

    while (descriptors && (entry = readdir(descriptors))) {
        int fd = atoi(entry->d_name);

        if (fd > 0 && is_telemetry(fd, path))
            visitor(fd, path, context);
    }
    if (descriptors)
        closedir(descriptors);
}

static void keep_path(int fd, const char *path, void *context)
{
    if (is_listening(fd))
        strcpy(context, path);
}

static int open_directory(const char *path, gid_t group)
{
    return chown(path, (uid_t)-1, group) < 0 || chmod(path, 0750) < 0 ? -errno : 0;
}

static int open_socket(const char *path, gid_t group)
{
    return chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0 ? -errno : 0;
}

static int let_in(const char *path, gid_t group)
{
    char parent[CONTROL_SOCKET_PATH_LEN];
    int error = open_socket(path, group);

    parent_directory(parent);
    if (!error)
        error = open_directory(directory, group);
    return error ? error : open_directory(parent, group);
}

void control_socket_grant(gid_t group)
{
    char path[CONTROL_SOCKET_PATH_LEN] = "";
    int error;

    if (directory[0] == '\0')
        return;
    visit(keep_path, path);
    if (path[0] == '\0') {
        log_message(LOG_LEVEL_WARNING, "control_socket", "DPDK has made none in %s", directory);
        return;
    }
    error = let_in(path, group);
    if (error)
        log_message(LOG_LEVEL_WARNING, "control_socket",
                    "only this user may connect: the group %u cannot be given %s: %s",
                    (unsigned)group, path, strerror(-error));
    log_event(LOG_LEVEL_INFO, "control_socket", "path", path, NULL);
}

static void end_connection(int fd, const char *path, void *context)
{
    (void)context;
    if (is_listening(fd))
        unlink(path);
    shutdown(fd, SHUT_RDWR);
}

void control_socket_close(void)
{
    // That its thread ends is no error.
    rte_log_set_level_pattern("lib.telemetry", RTE_LOG_EMERG);
    visit(end_connection, NULL);
}
