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

static const char *const table_names[WORKER_TABLE_COUNT] = {
#define X(id, name) [WORKER_TABLE_##id] = #name,
    WORKER_TABLE_LIST(X)
#undef X
};

const char *worker_table_name(enum worker_table table)
{
    assert(table < WORKER_TABLE_COUNT);
    return table_names[table];
}

// All there is of a block, but what fills its last cache lines.
#define FIELD_COUNT                                                                                \
    ((offsetof(struct worker_counters, tables) + sizeof(((struct worker_counters *)0)->tables)) /  \
     sizeof(uint64_t))

static uint64_t *fields_of(struct worker_counters *counters)
{
    return (uint64_t *)counters;
}

// One 8-byte load each, so that a reader never sees half of a value that a worker is writing.
static uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void worker_counters_subtract(struct worker_counters *counters,
                              const struct worker_counters *before)
{
    const uint64_t *less = (const uint64_t *)before;

    for (unsigned i = 0; i < FIELD_COUNT; i++)
        fields_of(counters)[i] -= less[i];
}

void worker_counters_sum(const struct worker_counters *blocks, unsigned count,
                         struct worker_counters *ret_sum)
{
    struct worker_counters sum;
    memset(&sum, 0, sizeof(sum));
    for (unsigned block = 0; block < count; block++) {
        const uint64_t *fields = (const uint64_t *)&blocks[block];
        for (unsigned i = 0; i < FIELD_COUNT; i++)
            fields_of(&sum)[i] += counter_read(&fields[i]);
    }
    *ret_sum = sum;
}
