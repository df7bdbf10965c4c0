// SPDX-License-Identifier: BSD-3-Clause
// Lines on their way to a sink that may be slow, or stuck: a queue of bounded size and a thread of its own that writes
// them. Whoever puts a line never waits for the sink; what finds no room is counted. Any thread may put.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_queue;

struct log_queue_config {
    size_t capacity;                                              // bytes that may wait, and as many being written
    void (*write)(void *context, const void *line, size_t len);   // in the queue's thread; may block
    void (*reopen)(void *context);                                // the same; NULL: nothing is reopened
    void *context;
    const char *thread_name; // at most 15 characters
};

// The thread takes no signals, and runs where its maker may. 0, -ENOMEM or what pthread_create says.
int log_queue_create(const struct log_queue_config *config, struct log_queue **ret_queue);
// Ends once all is written, or after so many milliseconds: false, and the thread, stuck in its sink, is left behind
// with the queue. Nobody puts any more.
bool log_queue_destroy(struct log_queue *queue, unsigned wait_ms);

// Wait until all is written, for so many milliseconds at most.
void log_queue_flush(struct log_queue *queue, unsigned wait_ms);

// False: there is no room, and the line is counted as lost.
bool log_queue_put(struct log_queue *queue, const void *line, size_t len);
// Have the thread reopen its sink, before the next line it takes up.
void log_queue_reopen(struct log_queue *queue);
// Lines that found no room.
uint64_t log_queue_lost(const struct log_queue *queue);
