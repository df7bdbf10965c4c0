// SPDX-License-Identifier: BSD-3-Clause
// Makes the stream threads, each with an event base of its own, or one on the control loop's.
#include "control/stream_server.h"

#include "base/log.h"
#include "base/thread_signal.h"
#include "control/stream_listener.h"
#include "control/stream_thread.h"
#include "exchange/plane.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Connections' buffers come and go with each burst. A heap that gives them back to the kernel each
// time takes as much again for the page faults.
#define HEAP_KEPT_BYTES   (32 << 20)
#define MAPPED_FROM_BYTES (4 << 20)

struct server_thread {
    struct stream_thread *thread;
    struct event_base *base; // its own, NULL: the control loop's
    pthread_t pthread;
    bool runs;
    char name[16];
};

struct stream_server {
    struct stream_server_config config;
    unsigned count;
    struct server_thread threads[PLANE_STREAM_THREADS_MAX];
};

static int create_thread(struct stream_server *server, uint16_t index)
{
    struct server_thread *made = &server->threads[index];
    struct stream_thread_config config = {
        .plane = server->config.plane,
        .tls = server->config.tls,
        .base = server->config.base,
        .index = index,
        .mtu = server->config.mtu,
        .shares_cpu = server->config.shares_cpu,
        .limits = server->config.limits,
        .proxy_sources = server->config.proxy_sources,
        .proxy_source_count = server->config.proxy_source_count,
    };
    int error;

    if (server->config.threads > 0) {
        made->base = event_base_new();
        if (!made->base)
            return -ENOMEM;
        config.base = made->base;
    }
    snprintf(made->name, sizeof(made->name), "streams-%u", index);
    error = stream_thread_create(&config, &made->thread);
    if (error && made->base)
        event_base_free(made->base);
    return error;
}

// Sockets of several threads share their port, and would share it with another relay's too.
static int probe_listeners(const struct plane_config *config)
{
    int error = 0;

    for (unsigned i = config->listener_count; !error && i < plane_listener_total(config); i++) {
        const struct plane_stream_listener *listener = plane_stream_listener(config, i);

        if (listener->thread == 0 && listener->transport != STREAM_DTLS)
            error = stream_listener_probe(&config->listeners[i]);
    }
    return error;
}

int stream_server_create(const struct stream_server_config *config,
                         struct stream_server **ret_server)
{
    const struct plane_config *plane = &config->plane->config;
    struct stream_server *server = calloc(1, sizeof(*server));
    int error = 0;

    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
    assert(plane->stream_thread_count == (config->threads > 0 ? config->threads : 1));
    if (!server)
        return -ENOMEM;
    server->config = *config;
    if (config->threads > 1)
        error = probe_listeners(plane);
    while (!error && server->count < plane->stream_thread_count) {
        error = create_thread(server, (uint16_t)server->count);
        if (!error)
            server->count++;
    }
    if (error) {
        stream_server_destroy(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

static void *serve(void *context)
{
    struct server_thread *thread = context;

    pthread_setname_np(pthread_self(), thread->name);
    stream_thread_start(thread->thread);
    event_base_dispatch(thread->base);
    return NULL;
}

static int start_thread(struct server_thread *thread)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    sigdelset(&all, THREAD_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = -pthread_create(&thread->pthread, NULL, serve, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->runs = error == 0;
    if (error)
        log_message(LOG_LEVEL_ERROR, "streams", "cannot start a thread: %s", strerror(-error));
    return error;
}

int stream_server_start(struct stream_server *server)
{
    int error = 0;

    if (server->config.threads == 0)
        stream_thread_start(server->threads[0].thread);
    for (unsigned i = 0; !error && i < server->config.threads; i++)
        error = start_thread(&server->threads[i]);
    return error;
}

static void stop_thread(struct server_thread *thread)
{
    if (!thread->runs)
        return;
    stream_thread_stop(thread->thread);
    pthread_join(thread->pthread, NULL);
}

void stream_server_destroy(struct stream_server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        stop_thread(&server->threads[i]);
    for (unsigned i = 0; i < server->count; i++) {
        stream_thread_destroy(server->threads[i].thread);
        if (server->threads[i].base)
            event_base_free(server->threads[i].base);
    }
    free(server);
}

void stream_server_sum(const struct stream_server *server, struct stream_counters *ret_counters)
{
    struct stream_counters sum = {0};

    for (unsigned i = 0; i < server->count; i++) {
        const struct stream_counters *counters = stream_thread_counters(server->threads[i].thread);

#define X(name, help) sum.name += __atomic_load_n(&counters->name, __ATOMIC_RELAXED);
        STREAM_COUNTER_LIST(X)
#undef X
    }
    *ret_counters = sum;
}

void stream_server_sum_dtls(const struct stream_server *server, struct dtls_counters *ret_counters)
{
    struct dtls_counters sum = {0};

    for (unsigned i = 0; i < server->count; i++) {
        const struct dtls_counters *counters =
            stream_thread_dtls_counters(server->threads[i].thread);

        if (!counters)
            continue;
#define X(name, help) sum.name += __atomic_load_n(&counters->name, __ATOMIC_RELAXED);
        DTLS_COUNTER_LIST(X)
#undef X
    }
    *ret_counters = sum;
}
