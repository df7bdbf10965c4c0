// SPDX-License-Identifier: BSD-3-Clause
// Names and helps of the counters, and their sum over the workers: one list serves metrics, admin
// and tests.
#include "exchange/counters.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct counter_text {
    const char *name;
    const char *help;
};

static const struct counter_text counter_texts[COUNTER_COUNT] = {
#define X(id, name, help) [COUNTER_##id] = {#name, help},
    COUNTER_LIST(X)
#undef X
};

static const struct counter_text drop_texts[DROP_COUNT] = {
#define X(id, name, help) [DROP_##id] = {#name, help},
    DROP_LIST(X)
#undef X
};

const char *counter_name(enum counter counter)
{
    assert(counter < COUNTER_COUNT);
    return counter_texts[counter].name;
}

const char *counter_help(enum counter counter)
{
    assert(counter < COUNTER_COUNT);
    return counter_texts[counter].help;
}

const char *drop_name(enum drop drop)
{
    assert(drop < DROP_COUNT);
    return drop_texts[drop].name;
}

const char *drop_help(enum drop drop)
{
    assert(drop < DROP_COUNT);
    return drop_texts[drop].help;
}

// One 8-byte load each, so that a reader never sees half of a value that a worker is writing.
static uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void worker_counters_sum(const struct worker_counters *blocks, unsigned count,
                         struct worker_counters *ret_sum)
{
    struct worker_counters sum;
    memset(&sum, 0, sizeof(sum));
    for (unsigned i = 0; i < count; i++) {
        for (unsigned c = 0; c < COUNTER_COUNT; c++)
            sum.counters[c] += counter_read(&blocks[i].counters[c]);
        for (unsigned d = 0; d < DROP_COUNT; d++)
            sum.drops[d] += counter_read(&blocks[i].drops[d]);
        sum.busy_polls += counter_read(&blocks[i].busy_polls);
        sum.idle_polls += counter_read(&blocks[i].idle_polls);
        sum.sleeps += counter_read(&blocks[i].sleeps);
    }
    *ret_sum = sum;
}
