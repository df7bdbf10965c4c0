// SPDX-License-Identifier: BSD-3-Clause
// See base/log_limit.h.
#include "base/log_limit.h"

#include <string.h>

void log_limit_set(struct log_limit *limit, uint32_t per_second)
{
    pthread_mutex_lock(&limit->lock);
    limit->per_second = per_second;
    pthread_mutex_unlock(&limit->lock);
}

static struct log_limit_kind *find(struct log_limit *limit, const char *event)
{
    struct log_limit_kind *kind = limit->kinds;

    for (; kind < limit->kinds + limit->kind_count; kind++) {
        if (strncmp(kind->event, event, sizeof(kind->event) - 1) == 0)
            return kind;
    }
    if (limit->kind_count == LOG_LIMIT_KINDS_MAX)
        return kind - 1;
    strncpy(kind->event, event, sizeof(kind->event) - 1);
    limit->kind_count++;
    return kind;
}

static bool count(const struct log_limit *limit, struct log_limit_kind *kind, uint64_t second)
{
    if (kind->second != second) {
        kind->second = second;
        kind->count = 0;
    }
    if (kind->count >= limit->per_second) {
        kind->suppressed++;
        return false;
    }
    kind->count++;
    return true;
}

bool log_limit_allows(struct log_limit *limit, const char *event, uint64_t second)
{
    bool allowed = true;

    pthread_mutex_lock(&limit->lock);
    if (limit->per_second > 0)
        allowed = count(limit, find(limit, event), second);
    if (!allowed)
        __atomic_fetch_add(&limit->suppressed, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&limit->lock);
    return allowed;
}

bool log_limit_take_suppressed(struct log_limit *limit, char ret_event[LOG_LIMIT_KIND_LEN],
                               uint64_t *ret_count)
{
    struct log_limit_kind *kind = limit->kinds;
    bool found;

    pthread_mutex_lock(&limit->lock);
    while (kind < limit->kinds + limit->kind_count && kind->suppressed == 0)
        kind++;
    found = kind < limit->kinds + limit->kind_count;
    if (found) {
        memcpy(ret_event, kind->event, LOG_LIMIT_KIND_LEN);
        *ret_count = kind->suppressed;
        kind->suppressed = 0;
    }
    pthread_mutex_unlock(&limit->lock);
    return found;
}

uint64_t log_limit_suppressed(const struct log_limit *limit)
{
    return __atomic_load_n(&limit->suppressed, __ATOMIC_RELAXED);
}
