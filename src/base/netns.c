// SPDX-License-Identifier: BSD-3-Clause
// See base/netns.h.
#include "base/netns.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETNS_PATH "/run/netns"

enum state {
    STATE_ENTERING,
    STATE_IDLE,
    STATE_ASKED,
    STATE_DONE,
    STATE_ENDING,
};

struct netns {
    pthread_t thread;
    pthread_mutex_t callers; // one at a time
    pthread_mutex_t mutex;   // of all below
    pthread_cond_t changed;
    enum state state;
    int fd;
    int (*call)(void *context);
    void *context;
    int result; // of the call, or of entering
};

static void set_state(struct netns *netns, enum state state)
{
    netns->state = state;
    pthread_cond_broadcast(&netns->changed);
}

static void wait_for(struct netns *netns, enum state state)
{
    while (netns->state != state)
        pthread_cond_wait(&netns->changed, &netns->mutex);
}

static void serve(struct netns *netns)
{
    while (netns->state != STATE_ENDING) {
        if (netns->state == STATE_ASKED) {
            pthread_mutex_unlock(&netns->mutex);
            int result = netns->call(netns->context);

            pthread_mutex_lock(&netns->mutex);
            netns->result = result;
            set_state(netns, STATE_DONE);
        }
        pthread_cond_wait(&netns->changed, &netns->mutex);
    }
}

static void *run(void *context)
{
    struct netns *netns = context;

    pthread_setname_np(pthread_self(), "netns");
    pthread_mutex_lock(&netns->mutex);
    netns->result = setns(netns->fd, CLONE_NEWNET) == 0 ? 0 : -errno;
    set_state(netns, STATE_IDLE);
    serve(netns);
    pthread_mutex_unlock(&netns->mutex);
    return NULL;
}

static int start(struct netns *netns)
{
    int error = -pthread_create(&netns->thread, NULL, run, netns);

    if (error)
        return error;
    pthread_mutex_lock(&netns->mutex);
    wait_for(netns, STATE_IDLE);
    error = netns->result;
    if (error)
        set_state(netns, STATE_ENDING);
    pthread_mutex_unlock(&netns->mutex);
    if (error)
        pthread_join(netns->thread, NULL);
    return error;
}

static int enter(int fd, struct netns **ret_netns)
{
    struct netns *netns = calloc(1, sizeof(*netns));
    int error;

    if (!netns)
        return -ENOMEM;
    netns->fd = fd;
    pthread_mutex_init(&netns->callers, NULL);
    pthread_mutex_init(&netns->mutex, NULL);
    pthread_cond_init(&netns->changed, NULL);
    error = start(netns);
    if (error)
        free(netns);
    else
        *ret_netns = netns;
    return error;
}

static const char *advice(int error)
{
    switch (-error) {
    case ENOENT:
        return ": 'ip netns' lists those there are";
    case EPERM:
        return ": CAP_SYS_ADMIN is needed, at the start alone";
    default:
        return "";
    }
}

int netns_open(const char *name, struct netns **ret_netns)
{
    char path[PATH_MAX];
    int fd, error;

    snprintf(path, sizeof(path), "%s%s", *name == '/' ? "" : NETNS_PATH "/", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    error = fd < 0 ? -errno : enter(fd, ret_netns);
    if (fd >= 0)
        close(fd);
    if (error)
        log_message(LOG_LEVEL_ERROR, "netns", "cannot enter the network namespace %s: %s%s", path,
                    strerror(-error), advice(error));
    return error;
}

void netns_close(struct netns *netns)
{
    pthread_mutex_lock(&netns->mutex);
    set_state(netns, STATE_ENDING);
    pthread_mutex_unlock(&netns->mutex);
    pthread_join(netns->thread, NULL);
    pthread_cond_destroy(&netns->changed);
    pthread_mutex_destroy(&netns->mutex);
    pthread_mutex_destroy(&netns->callers);
    free(netns);
}

int netns_call(struct netns *netns, int (*call)(void *context), void *context)
{
    int result;

    if (!netns)
        return call(context);
    pthread_mutex_lock(&netns->callers);
    pthread_mutex_lock(&netns->mutex);
    netns->call = call;
    netns->context = context;
    set_state(netns, STATE_ASKED);
    wait_for(netns, STATE_DONE);
    result = netns->result;
    set_state(netns, STATE_IDLE);
    pthread_mutex_unlock(&netns->mutex);
    pthread_mutex_unlock(&netns->callers);
    return result;
}
