// SPDX-License-Identifier: BSD-3-Clause
// Where random bytes come from: an interface, so that the pure layers run with a seeded source in tests.
#pragma once

#include <stddef.h>
#include <stdint.h>

// fill writes len unpredictable bytes; it cannot fail (an implementation that cannot serve aborts the process).
struct random_source {
    void (*fill)(void *context, void *bytes, size_t len);
    void *context;
};

// The system's generator, getrandom(2).
extern const struct random_source random_system;

static inline void random_fill(const struct random_source *source, void *bytes, size_t len)
{
    source->fill(source->context, bytes, len);
}

// Below limit, each number as likely as any other, but for 2^-32 of it. 0 for a limit of 0.
static inline uint32_t random_below(const struct random_source *source, uint32_t limit)
{
    uint32_t value;
    random_fill(source, &value, sizeof(value));
    return (uint32_t)(((uint64_t)value * limit) >> 32);
}
