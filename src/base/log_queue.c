// SPDX-License-Identifier: BSD-3-Clause
// Two buffers that change places: one is filled under the lock, the other is written without it.
#include "base/log_queue.h"

#include "base/thread_signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct buffer {
    uint8_t *bytes; // lines, each behind its length
    size_t len;
};

struct log_queue {
    struct log_queue_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct buffer waiting; // these five under the lock
    bool is_writing;
    bool reopen_wanted;
    bool end_wanted;
    uint64_t lost;         // read without it, too
    struct buffer written; // the thread's
};

static void write_lines(struct log_queue *queue)
{
    struct buffer *buffer = &queue->written;
    size_t len;

    for (size_t at = 0; at < buffer->len; at += len) {
        memcpy(&len, buffer->bytes + at, sizeof(len));
        at += sizeof(len);
        queue->config.write(queue->config.context, buffer->bytes + at, len);
    }
    buffer->len = 0;
}

// False at the end.
static bool take_turn(struct log_queue *queue)
{
    struct buffer empty = queue->written;
    bool reopen, more;

    pthread_mutex_lock(&queue->lock);
    queue->is_writing = false;
    while (queue->waiting.len == 0 && !queue->reopen_wanted && !queue->end_wanted)
        pthread_cond_wait(&queue->news, &queue->lock);
    queue->written = queue->waiting;
    queue->waiting = empty;
    queue->is_writing = true;
    reopen = queue->reopen_wanted;
    queue->reopen_wanted = false;
    more = !queue->end_wanted || queue->written.len > 0;
    pthread_mutex_unlock(&queue->lock);
    if (reopen && queue->config.reopen)
        queue->config.reopen(queue->config.context);
    write_lines(queue);
    return more;
}

static void *run(void *context)
{
    while (take_turn(context))
        ;
    return NULL;
}

static int start_thread(struct log_queue *queue)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    sigdelset(&all, THREAD_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&queue->thread, NULL, run, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    (void)pthread_setname_np(queue->thread, queue->config.thread_name);
    return 0;
}

static void queue_free(struct log_queue *queue)
{
    pthread_cond_destroy(&queue->news);
    pthread_mutex_destroy(&queue->lock);
    free(queue->waiting.bytes);
    free(queue->written.bytes);
    free(queue);
}

int log_queue_create(const struct log_queue_config *config, struct log_queue **ret_queue)
{
    struct log_queue *queue = calloc(1, sizeof(*queue));
    int error;

    if (!queue)
        return -ENOMEM;
    queue->config = *config;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->news, NULL);
    queue->waiting.bytes = malloc(config->capacity);
    queue->written.bytes = malloc(config->capacity);
    error = queue->waiting.bytes && queue->written.bytes ? start_thread(queue) : -ENOMEM;
    if (error) {
        queue_free(queue);
        return error;
    }
    *ret_queue = queue;
    return 0;
}

static struct timespec in_ms(unsigned ms)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_nsec -= 1000000000L;
        time.tv_sec++;
    }
    return time;
}

bool log_queue_destroy(struct log_queue *queue, unsigned wait_ms)
{
    const struct timespec deadline = in_ms(wait_ms);

    pthread_mutex_lock(&queue->lock);
    queue->end_wanted = true;
    pthread_cond_signal(&queue->news);
    pthread_mutex_unlock(&queue->lock);
    if (pthread_clockjoin_np(queue->thread, NULL, CLOCK_MONOTONIC, &deadline) != 0) {
        (void)pthread_detach(queue->thread);
        return false;
    }
    queue_free(queue);
    return true;
}

static bool is_empty(struct log_queue *queue)
{
    bool empty;

    pthread_mutex_lock(&queue->lock);
    empty = queue->waiting.len == 0 && !queue->is_writing;
    pthread_mutex_unlock(&queue->lock);
    return empty;
}

void log_queue_flush(struct log_queue *queue, unsigned wait_ms)
{
    static const struct timespec one_ms = {.tv_nsec = 1000000};

    for (unsigned i = 0; i < wait_ms && !is_empty(queue); i++)
        nanosleep(&one_ms, NULL);
}

static bool append(const struct log_queue *queue, struct buffer *buffer, const void *line,
                   size_t len)
{
    if (sizeof(len) + len > queue->config.capacity - buffer->len)
        return false;
    memcpy(buffer->bytes + buffer->len, &len, sizeof(len));
    memcpy(buffer->bytes + buffer->len + sizeof(len), line, len);
    buffer->len += sizeof(len) + len;
    return true;
}

bool log_queue_put(struct log_queue *queue, const void *line, size_t len)
{
    bool has_room;

    pthread_mutex_lock(&queue->lock);
    has_room = append(queue, &queue->waiting, line, len);
    if (!has_room)
        __atomic_fetch_add(&queue->lost, 1, __ATOMIC_RELAXED);
    pthread_cond_signal(&queue->news);
    pthread_mutex_unlock(&queue->lock);
    return has_room;
}

void log_queue_reopen(struct log_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->reopen_wanted = true;
    pthread_cond_signal(&queue->news);
    pthread_mutex_unlock(&queue->lock);
}

uint64_t log_queue_lost(const struct log_queue *queue)
{
    return __atomic_load_n(&queue->lost, __ATOMIC_RELAXED);
}
