// SPDX-License-Identifier: BSD-3-Clause
// How many lines a second there may be of each kind, so that one that anybody can cause does not bury the others, nor
// fill a disk. What is left out is counted, by kind. Any thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Kinds that are told apart; those beyond share the last place.
#define LOG_LIMIT_KINDS_MAX  128
#define LOG_LIMIT_KIND_LEN   32

struct log_limit_kind {
    char event[LOG_LIMIT_KIND_LEN]; // as much of it
    uint64_t second;                // that the count is of
    uint32_t count;
    uint64_t suppressed; // since they were taken
};

struct log_limit {
    pthread_mutex_t lock;
    uint32_t per_second; // of each kind; 0: no limit
    unsigned kind_count;
    uint64_t suppressed; // in all
    struct log_limit_kind kinds[LOG_LIMIT_KINDS_MAX];
};

#define LOG_LIMIT_INITIALIZER                                                                                          \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                                              \
    }

void log_limit_set(struct log_limit *limit, uint32_t per_second);
// Whether there may be another line of this kind in this second. False: it is counted as suppressed.
bool log_limit_allows(struct log_limit *limit, const char *event, uint64_t second);
// One kind of which lines have been suppressed, and how many since it was taken before. False: there is none.
bool log_limit_take_suppressed(struct log_limit *limit, char ret_event[LOG_LIMIT_KIND_LEN], uint64_t *ret_count);
uint64_t log_limit_suppressed(const struct log_limit *limit);
